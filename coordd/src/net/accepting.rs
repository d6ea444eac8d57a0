//! Connections as they come, on every port alike.
//!
//! ```text
//!   accept ─► a connection
//!          └► an error (no descriptors left, mostly) ─► said once, a pause, again
//! ```
//!
//! Rule: a failed accept neither spins nor fills the log. Reason: the kernel keeps the connection that could not be
//! accepted, so the next attempt fails at once, and goes on failing until somebody else lets a descriptor go.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{TcpListener, TcpStream};

const PAUSE: Duration = Duration::from_millis(100);
/// How long nothing more is said of accepts that fail.
const SAID_FOR: Duration = Duration::from_mins(1);

/// A listener and how it fares.
pub(crate) struct Accepting {
    listener: TcpListener,
    whose: &'static str,
    trouble: Trouble,
}

/// Accepts that fail, as the log was told. Where descriptors are short that comes and goes with each that is closed.
#[derive(Default)]
struct Trouble {
    said: Option<Instant>,
    lasts: bool,
}

impl Trouble {
    /// An accept failed at `now`: whether that is to be said.
    fn begins(&mut self, now: Instant) -> bool {
        let says = self.said.is_none_or(|said| now >= said + SAID_FOR);
        if says {
            (self.said, self.lasts) = (Some(now), true);
        }
        says
    }

    /// An accept went well: whether that is to be said.
    fn ends(&mut self) -> bool {
        std::mem::take(&mut self.lasts)
    }
}

impl Accepting {
    /// `whose` connections come by `listener`, for the log.
    pub(crate) fn new(listener: TcpListener, whose: &'static str) -> Accepting {
        Accepting { listener, whose, trouble: Trouble::default() }
    }

    /// The next connection, however long it takes.
    pub(crate) async fn next(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => {
                    if self.trouble.ends() {
                        tracing::info!("accepting {} connections again", self.whose);
                    }
                    return accepted;
                }
                Err(error) => self.failed(&error).await,
            }
        }
    }

    async fn failed(&mut self, error: &io::Error) {
        if self.trouble.begins(Instant::now()) {
            tracing::warn!(%error, "cannot accept {} connections; trying again ten times a second", self.whose);
        }
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_said_once_a_minute_and_its_end_once_for_each_time() {
        let (mut trouble, now) = (Trouble::default(), Instant::now());
        assert!(!trouble.ends(), "there was none");
        assert!(trouble.begins(now));
        assert!(!trouble.begins(now + SAID_FOR / 2));
        assert!(trouble.ends());
        assert!(!trouble.begins(now + SAID_FOR / 2) && !trouble.ends(), "it comes and goes");
        assert!(trouble.begins(now + SAID_FOR) && trouble.ends());
    }
}
