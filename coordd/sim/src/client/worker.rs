//! A session's life under faults: small batches of writes and reads, on whichever member takes it.
//!
//! ```text
//!   attach ─► batch of 1..6 ─► batch … ─ broken ─► attach (the same session) ─► …  until the curtain ─► close
//! ```
//!
//! Rule: half of what it does is on few paths that everybody uses, the rest creates paths that nobody else knows.

use std::io;
use std::time::Duration;

use tokio::time::sleep;

use super::Stage;
use super::link::Link;
use super::session::Session;
use crate::entropy::Dice;
use crate::history::Request;

/// Paths that every client writes and reads.
pub(crate) const SHARED: u64 = 6;

const BATCH_MAX: u64 = 6;
const THINK_MAX_MS: u64 = 60;

pub(crate) fn shared_path(number: u64) -> String {
    format!("/shared-{number}")
}

struct Worker {
    session: Session,
    dice: Dice,
    written: u64,
}

/// Works until the curtain falls. The first worker also creates the shared paths; the others find them soon.
pub(crate) async fn work(number: u64, stage: Stage) -> turmoil::Result {
    let name = format!("c{number}");
    let session = Session::new(name, stage.clone(), Dice::new(stage.seed, 100 + number), None);
    let mut worker = Worker { session, dice: Dice::new(stage.seed, 200 + number), written: 0 };
    let mut link = worker.session.attach().await;
    if number == 1 {
        worker.create_shared(&mut link).await;
    }
    while turmoil::sim_elapsed().unwrap_or_default() < stage.curtain {
        if worker.batch(&mut link).await.is_err() {
            link = worker.session.attach().await;
        }
    }
    while worker.session.close(&mut link).await.is_err() {
        link = worker.session.attach().await;
    }
    stage.working.set(stage.working.get() - 1);
    Ok(())
}

impl Worker {
    async fn create_shared(&mut self, link: &mut Link) {
        for number in 0..SHARED {
            let request = Request::Create { path: shared_path(number), value: format!("first {number}") };
            while self.session.exchange(link, vec![request.clone()]).await.is_err() {
                *link = self.session.attach().await;
            }
        }
    }

    async fn batch(&mut self, link: &mut Link) -> io::Result<()> {
        let requests = (0..self.dice.between(1, BATCH_MAX)).map(|_| self.request()).collect();
        self.session.exchange(link, requests).await?;
        sleep(Duration::from_millis(self.dice.below(THINK_MAX_MS))).await;
        Ok(())
    }

    fn request(&mut self) -> Request {
        let path = shared_path(self.dice.below(SHARED));
        match self.dice.below(10) {
            0..3 => Request::Set { path, value: self.value() },
            3..5 => {
                let value = self.value();
                Request::Create { path: format!("/{}", value.replace(' ', "-")), value }
            }
            5..7 => Request::Get { path, watch: true },
            _ => Request::Get { path, watch: false },
        }
    }

    /// What no other write has.
    fn value(&mut self) -> String {
        self.written += 1;
        format!("{} {}", self.session.name, self.written)
    }
}
