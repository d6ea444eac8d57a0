//! A session's life under faults: small batches of writes and reads, on whichever member takes it.
//!
//! ```text
//!   attach ─► batch of 1..6 ─► batch … ─ broken ─► attach (the same session) ─► …  until the curtain ─► close
//!                └─ now and then: silent beyond its timeout, to expire │ closed, and a new one begun
//! ```
//!
//! Rule: half of what it does is on few paths that everybody uses, the rest creates paths that nobody else knows. The
//! lock is an ephemeral that all of them try to create: who has it believes that it is alone.

use std::io;
use std::time::Duration;

use tokio::time::sleep;

use super::Stage;
use super::link::Link;
use super::session::Session;
use crate::entropy::Dice;
use crate::history::{Request, Write};
use crate::host::SESSION_TIMEOUT_MS;

/// Paths that every client writes and reads.
pub(crate) const SHARED: u64 = 6;

/// The ephemeral that everybody tries to create.
pub(crate) const LOCK: &str = "/lock";
pub(crate) const WORKERS: u64 = 4;

/// One of so many steps is a silence, another the end of the session.
const MISHAPS_EVERY: u64 = 150;
/// What some values are long, so that the log grows.
const LONG: usize = 3000;
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
        let goes_on = match worker.dice.below(MISHAPS_EVERY) {
            0 => worker.falls_silent(&mut link).await,
            1 => worker.begins_anew(&mut link).await,
            _ => worker.batch(&mut link).await,
        };
        if goes_on.is_err() {
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
            let (path, value) = (shared_path(number), format!("first {number}"));
            let request = Request::Write(Write::Create { path, value });
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

    /// Says nothing for about as long as a session lasts; a bit less, and it goes on, a bit more, and it has expired.
    async fn falls_silent(&mut self, link: &mut Link) -> io::Result<()> {
        let timeout_ms = u64::from(SESSION_TIMEOUT_MS.unsigned_abs());
        sleep(Duration::from_millis(self.dice.between(timeout_ms * 3 / 4, timeout_ms * 2))).await;
        self.batch(link).await
    }

    async fn begins_anew(&mut self, link: &mut Link) -> io::Result<()> {
        self.session.close(link).await?;
        self.session.forget();
        Err(io::ErrorKind::NotConnected.into())
    }

    fn request(&mut self) -> Request {
        let path = shared_path(self.dice.below(SHARED));
        match self.dice.below(16) {
            0..4 => Request::Write(Write::Set { path, value: self.value() }),
            4..6 => {
                let (path, value) = self.own();
                Request::Write(Write::Create { path, value })
            }
            6 => {
                let (path, value) = self.own();
                Request::Write(Write::Ephemeral { path, value })
            }
            7 => Request::Write(Write::Ephemeral { path: LOCK.to_owned(), value: self.value() }),
            8..10 => self.multi(path),
            10 => Request::Get { path: self.known(), watch: false },
            11..13 => Request::Get { path, watch: true },
            _ => Request::Get { path, watch: false },
        }
    }

    /// A set of two shared paths, and a path of its own, all at once or not at all.
    fn multi(&mut self, path: String) -> Request {
        let other = shared_path(self.dice.below(SHARED));
        let (own, value) = self.own();
        let mut writes = vec![Write::Set { path, value: self.value() }, Write::Create { path: own, value }];
        if other != writes[0].path() {
            writes.push(Write::Set { path: other, value: self.value() });
        }
        Request::Multi { writes, doomed: self.dice.below(4) == 0 }
    }

    /// What no other write has.
    fn value(&mut self) -> String {
        self.written += 1;
        let length = if self.dice.below(4) == 0 { LONG } else { 0 };
        format!("{:.<length$}", format!("{} {} ", self.session.name, self.written))
    }

    /// A path that no other write has, and the value that tells it.
    fn own(&mut self) -> (String, String) {
        let value = self.value();
        (format!("/{}-{}", self.session.name, self.written), value)
    }

    /// The lock, or a path that another worker may have made lately.
    fn known(&mut self) -> String {
        match self.dice.below(3) {
            0 => LOCK.to_owned(),
            _ => format!("/c{}-{}", self.dice.between(1, WORKERS), self.dice.between(1, self.written.max(1))),
        }
    }
}
