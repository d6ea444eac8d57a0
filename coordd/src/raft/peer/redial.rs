//! When a peer whose link is down is dialed again.
//!
//! ```text
//!   nothing heard of it    20 ms, 40 ms … 1 s after the dial before failed; a dial may take 3 s
//!   a hello of it          at once; for 10 s each wait is at most 100 ms, and a dial takes at most 1 s
//! ```
//!
//! Rule: a hello says that the peer is there, not where: its name is resolved anew at each dial. Reason: a member that
//! was started anew greets before its name means its new address (on Kubernetes that may come a second late), so the
//! first dial after its hello fails, or hangs at the old address. Where a hello came from may be a gateway.

use std::io;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::hello::LinkError;

pub(super) const BACKOFF_MIN: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_secs(1);
/// After its last hello a peer is taken to be there for so long.
const THERE: Duration = Duration::from_secs(10);
const BACKOFF_MAX_THERE: Duration = Duration::from_millis(100);
/// A peer that is there greets within this time, or it is not it that was dialed.
const GREETING_MAX_THERE: Duration = Duration::from_secs(1);

/// The pace of one peer's dialer.
pub(super) struct Redial {
    backoff: Duration,
    /// When the peer's last hello came in.
    hello: watch::Receiver<Option<Instant>>,
}

fn is_there(hello: &Option<Instant>) -> bool {
    hello.is_some_and(|at| at.elapsed() < THERE)
}

impl Redial {
    pub(super) fn new(hello: watch::Receiver<Option<Instant>>) -> Redial {
        Redial { backoff: BACKOFF_MIN, hello }
    }

    /// One try; the failure after a success is the first again.
    pub(super) async fn attempt<T>(
        &mut self,
        dial: impl Future<Output = Result<T, LinkError>>,
    ) -> Result<T, LinkError> {
        let hangs = async {
            // Whoever could greet is gone with this member's interest in the peer.
            let _ = self.hello.wait_for(is_there).await;
            sleep(GREETING_MAX_THERE).await;
        };
        let dialed = tokio::select! {
            biased;
            dialed = dial => dialed,
            () = hangs => Err(LinkError::Io(io::ErrorKind::TimedOut.into())),
        };
        if dialed.is_ok() {
            self.backoff = BACKOFF_MIN;
        }
        dialed
    }

    /// Waits before the next try.
    pub(super) async fn wait(&mut self) {
        let wait = self.backoff;
        self.backoff = (wait * 2).min(BACKOFF_MAX);
        let there = is_there(&self.hello.borrow());
        if there {
            sleep(wait.min(BACKOFF_MAX_THERE)).await;
        } else {
            let _ = timeout(wait, self.hello.wait_for(is_there)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::pending;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A dialer that failed so often that it waits as long as it ever does.
    async fn tired() -> (Redial, watch::Sender<Option<Instant>>) {
        let (hello, heard) = watch::channel(None);
        let mut redial = Redial::new(heard);
        for _ in 0..8 {
            redial.wait().await;
        }
        (redial, hello)
    }

    fn greet(hello: &watch::Sender<Option<Instant>>) {
        hello.send_replace(Some(Instant::now()));
    }

    async fn refused() -> Result<(), LinkError> {
        Err(LinkError::Io(io::ErrorKind::ConnectionRefused.into()))
    }

    async fn takes(time: Duration) -> Result<(), LinkError> {
        sleep(time).await;
        Ok(())
    }

    /// Dials in vain for so long: how often.
    async fn dials_within(redial: &mut Redial, time: Duration) -> u32 {
        let dials = Cell::new(0);
        let in_vain = async {
            loop {
                dials.set(dials.get() + 1);
                let _ = redial.attempt(refused()).await;
                redial.wait().await;
            }
        };
        let _ = timeout(time, in_vain).await;
        dials.get()
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_whose_name_is_right_a_while_after_its_hello_is_reached_soon_after_that() {
        for late in [Duration::ZERO, Duration::from_millis(1), Duration::from_millis(870), 5 * SECOND] {
            let (mut redial, hello) = tired().await;
            let named = Instant::now() + SECOND / 3 + late;
            let dials = async {
                while redial
                    .attempt(async { if Instant::now() < named { refused().await } else { Ok(()) } })
                    .await
                    .is_err()
                {
                    redial.wait().await;
                }
            };
            let greets = async {
                sleep(SECOND / 3).await;
                greet(&hello);
            };
            tokio::join!(dials, greets);
            assert!(named.elapsed() <= BACKOFF_MAX_THERE + Duration::from_millis(2), "{:?}", named.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_dial_hangs_no_longer_after_a_hello_than_a_greeting_takes_however_often_the_peer_greets() {
        let (mut redial, hello) = tired().await;
        for before in [SECOND, Duration::ZERO] {
            let began = Instant::now();
            let greets = async {
                sleep(before).await;
                loop {
                    greet(&hello);
                    sleep(SECOND / 100).await;
                }
            };
            tokio::select! {
                hung = redial.attempt(pending::<Result<(), LinkError>>()) => assert!(hung.is_err()),
                () = greets => {}
            }
            let took = began.elapsed() - before;
            assert!(took >= GREETING_MAX_THERE && took < GREETING_MAX_THERE + SECOND / 100, "{took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_dial_that_comes_through_in_time_is_not_disturbed_by_a_hello() {
        let (mut redial, hello) = tired().await;
        let greets = async {
            sleep(SECOND / 10).await;
            greet(&hello);
        };
        let (reached, ()) = tokio::join!(redial.attempt(takes(SECOND)), greets);
        assert!(reached.is_ok());
        sleep(THERE).await;
        assert!(redial.attempt(takes(2 * SECOND)).await.is_ok(), "that hello was long ago");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_greets_on_and_on_is_dialed_at_a_measured_pace() {
        let (mut redial, hello) = tired().await;
        let greets_on = async {
            loop {
                greet(&hello);
                sleep(SECOND / 1000).await;
            }
        };
        greet(&hello);
        tokio::select! {
            dials = dials_within(&mut redial, 20 * SECOND) => assert!((190..=201).contains(&dials), "{dials}"),
            () = greets_on => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_hello_of_long_ago_hurries_nothing() {
        let (mut redial, hello) = tired().await;
        greet(&hello);
        sleep(THERE).await;
        let dials = dials_within(&mut redial, 10 * SECOND).await;
        assert!((10..=11).contains(&dials), "{dials}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_failure_after_a_success_is_the_first_again() {
        let (mut redial, _hello) = tired().await;
        assert!(redial.attempt(takes(Duration::ZERO)).await.is_ok());
        // After 0, 20, 60, 140, 300, 620 ms.
        assert_eq!(dials_within(&mut redial, SECOND).await, 6);
    }
}
