//! A connection that waits for its reader, but not for ever.
//!
//! ```text
//!   write ─► socket full ─► the clock runs: 30 s, and a second more for each 256 KiB that are taken ─► closed
//!                             └── everything handed over ─► the clock stops
//! ```
//!
//! Rule: whoever takes nothing, or takes drop by drop, is cut off; whoever has taken all may be silent as long as he
//! likes. Reason: what waits for a reader is memory of the member, and followers are silent for hours.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

const GRACE: Duration = Duration::from_secs(30);
/// The least that a reader takes in a second, from then on.
const BYTES_PER_SECOND: u64 = 256 * 1024;

/// Since the socket was full for the first time.
struct Stuck {
    since: Instant,
    taken: u64,
    alarm: Pin<Box<Sleep>>,
}

pub(super) struct Patient<S> {
    stream: S,
    grace: Duration,
    stuck: Option<Stuck>,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S) -> Patient<S> {
        Patient { stream, grace: GRACE, stuck: None }
    }

    fn wrote(&mut self, written: &io::Result<usize>) {
        if let (Some(stuck), Ok(bytes)) = (&mut self.stuck, written) {
            stuck.taken = stuck.taken.saturating_add(*bytes as u64);
        }
    }

    fn is_full(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let grace = self.grace;
        let stuck = self.stuck.get_or_insert_with(|| {
            let since = Instant::now();
            Stuck { since, taken: 0, alarm: Box::pin(tokio::time::sleep_until(since + grace)) }
        });
        let due = stuck.since + grace + Duration::from_secs(stuck.taken / BYTES_PER_SECOND);
        if due != stuck.alarm.deadline() {
            stuck.alarm.as_mut().reset(due);
        }
        ready!(stuck.alarm.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write(context, bytes) else {
            return self.is_full(context);
        };
        self.wrote(&written);
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write_vectored(context, bytes) else {
            return self.is_full(context);
        };
        self.wrote(&written);
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Asked once everything was handed over.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stuck = None;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const SHORT: Duration = Duration::from_millis(200);

    fn pipe(bytes: usize) -> (Patient<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
        let (near, far) = tokio::io::duplex(bytes);
        (Patient { grace: SHORT, ..Patient::new(near) }, far)
    }

    #[tokio::test]
    async fn a_reader_that_takes_nothing_is_cut_off_and_a_silent_one_that_took_all_is_not() {
        let (mut near, mut far) = pipe(100);
        near.write_all(&[1; 100]).await.unwrap();
        near.flush().await.unwrap();
        tokio::time::sleep(SHORT * 2).await;
        far.read_exact(&mut [0; 100]).await.unwrap();
        let began = Instant::now();
        let error = near.write_all(&[2; 101]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() >= SHORT);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_takes_enough_is_waited_for_and_one_that_takes_drops_is_not() {
        for (kibibytes, fits) in [(300, true), (100, false), (1, false)] {
            let (near, mut far) = tokio::io::duplex(kibibytes * 1024);
            let mut near = Patient::new(near);
            let reader = tokio::spawn(async move {
                let mut taken = vec![0; kibibytes * 1024];
                while far.read_exact(&mut taken).await.is_ok() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            });
            let written = near.write_all(&vec![3; kibibytes * 1024 * 100]).await;
            assert_eq!(written.is_ok(), fits, "{kibibytes} KiB a second: {written:?}");
            drop(near);
            reader.await.unwrap();
        }
    }
}
