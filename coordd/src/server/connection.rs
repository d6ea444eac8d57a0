//! The task of one connection: reads what the socket has, lets it be worked on, writes what came of it.
//!
//! ```text
//!   accept ─► four letters? ─► text, close
//!          └► ConnectRequest ─► established ─► ┌─► take ─► write ─► wait for bytes or a wake ─┐
//!                                              └──────────────────────────────────────────────┘
//! ```
//!
//! Rule: requests are stamped when they were read, and `may_answer` is asked after that, right before each write call;
//! while it says no, answers are held in order, and past a third of the session's timeout the connection closes.
//! Reason: a member that lost its leader must not make a client believe in a session that the leader has expired
//! (liveness rule 3).

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use coordd_proto::ConnectRequest;
use tokio::io::AsyncReadExt;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout, timeout_at};

use super::batch::{self, Broken, Step};
use super::conn::{Conn, Fate, written};
use super::handshake::{self, Service, TurnedAway};
use super::{Shared, four_letter};
use crate::clock;
use crate::consensus::Write;
use crate::net::{OwnedReadHalf, TcpStream};
use crate::session::registry::Holder;

/// What is read ahead of requests that must wait; also the largest single read.
const READ_AHEAD_BYTES: usize = 64 * 1024;
const FIRST_READ_BYTES: usize = 1024;
/// So many small reads in a row shrink the buffer.
const SMALL_READS: u32 = 64;
/// How long a closed connection waits for the client to take its last answer.
const LINGER: Duration = Duration::from_secs(1);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    #[error("closed by the client")]
    ByClient,
    #[error("closed after its last answer")]
    Flushed,
    #[error("cut")]
    Cut,
    #[error("no session in time")]
    Sessionless,
    #[error("silent for its timeout")]
    Silent,
    #[error("answers held for too long")]
    Held,
    #[error("not a request: {0}")]
    Broken(#[from] Broken),
    #[error("turned away: {0}")]
    TurnedAway(#[from] TurnedAway),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// One connection's socket and buffers.
pub(crate) struct Connection {
    stream: OwnedReadHalf,
    conn: Arc<Conn>,
    shared: Arc<Shared>,
    input: BytesMut,
    spare: BytesMut,
    writes: Vec<Write>,
    read_size: usize,
    /// Reads in a row that needed far less than `read_size`.
    small_reads: u32,
    /// The input buffer is to shrink once it is empty.
    give_back: bool,
    /// When the newest bytes were read.
    since: Instant,
}

enum Wake {
    Read(usize),
    Woken,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, conn: Arc<Conn>, shared: Arc<Shared>) -> Connection {
        let (stream, outlet) = stream.into_split();
        conn.outlet().open(outlet);
        Connection {
            stream,
            conn,
            shared,
            input: BytesMut::new(),
            spare: BytesMut::new(),
            writes: Vec::new(),
            read_size: FIRST_READ_BYTES,
            small_reads: 0,
            give_back: false,
            since: Instant::now(),
        }
    }

    /// Serves the connection until it ends.
    pub(crate) async fn run(mut self) {
        let Err(end) = self.serve().await;
        let hub = self.shared.hub.clone();
        hub.closed(&self.conn);
        hub.metrics.connection_drop_count.add(1);
        match end {
            End::Sessionless => hub.metrics.sessionless_connections_expired.add(1),
            End::Broken(Broken::Length(_)) => hub.metrics.large_requests_rejected.add(1),
            _ => {}
        }
        let session = self.conn.session();
        tracing::debug!(connection = self.conn.id, peer = %self.conn.peer, %session, %end, "closed");
        if matches!(end, End::Flushed | End::Broken(_)) {
            let _ = timeout(LINGER, self.linger()).await;
        }
        self.conn.outlet().close();
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, End> {
        let deadline = Instant::now() + self.shared.config.sessionless_timeout;
        timeout_at(deadline, self.greet()).await.map_err(|_| End::Sessionless)??;
        loop {
            let step = batch::take(&self.conn, &self.shared, &mut self.input, &mut self.writes, self.since);
            self.flush(matches!(step, Ok(Step::NeedBytes))).await?;
            match step? {
                Step::Again => {}
                Step::Over => yield_now().await,
                Step::Walks => self.walk().await,
                step => self.wait(step).await?,
            }
        }
    }

    /// Executes the walk that has its turn once no other connection walks: each keeps apply waiting and a worker busy.
    async fn walk(&self) {
        let alone = self.shared.walks.acquire().await;
        batch::walk(&self.conn, &self.shared);
        drop(alone);
        yield_now().await;
    }

    /// Four letters, or the handshake up to its answer.
    async fn greet(&mut self) -> Result<(), End> {
        self.fill_to(4).await?;
        if let Some(word) = four_letter::word(&self.input) {
            return self.four_letters(word).await;
        }
        let status = self.shared.status.borrow().clone();
        if handshake::service(&status, self.shared.config.read_only_mode) == Service::None {
            return Err(TurnedAway::NotServing.into());
        }
        let len = loop {
            match batch::whole_frame(&self.input, self.shared.config.max_frame_bytes)? {
                Some(len) => break len,
                None => self.fill_to(self.input.len() + 1).await?,
            }
        };
        let frame = self.input.split_to(4 + len).freeze();
        let request = ConnectRequest::decode(&frame[4..]).map_err(|_| Broken::NoHeader)?;
        handshake::begin(&self.conn, &self.shared, &request, self.since)?;
        loop {
            self.flush(false).await?;
            if self.conn.is_established() {
                return Ok(());
            }
            self.wake_or_read(false).await?;
        }
    }

    async fn four_letters(&mut self, word: four_letter::Word) -> Result<(), End> {
        self.shared.hub.metrics.packets_received.add(1);
        self.conn.queue().tally.received += 1;
        self.fill_to(4 + word.argument_len()).await?;
        let text = four_letter::answer(word, &self.input[4..], &self.shared);
        self.spare.extend_from_slice(text.as_bytes());
        while !self.spare.is_empty() {
            let n = self.write_some().await?;
            self.spare.advance(n);
        }
        Err(End::Flushed)
    }

    /// Reads until `input` holds `len` bytes.
    async fn fill_to(&mut self, len: usize) -> Result<(), End> {
        while self.input.len() < len {
            self.wake_or_read(true).await?;
            if self.conn.queue().fate == Fate::Cut {
                return Err(End::Cut);
            }
        }
        Ok(())
    }

    /// Waits until there is something to do after `step`.
    async fn wait(&mut self, step: Step) -> Result<(), End> {
        let read = step == Step::NeedBytes || self.input.len() < READ_AHEAD_BYTES;
        if step != Step::NoRoom {
            return self.wake_or_read(read).await;
        }
        let (room, since) = (self.shared.consensus.room(), Instant::now());
        let waited = tokio::select! {
            () = room => Ok(()),
            result = self.wake_or_read(read) => result,
        };
        self.shared.hub.metrics.room_waits.add(since.elapsed());
        waited
    }

    /// Waits for a wake or, if `read`, for bytes.
    async fn wake_or_read(&mut self, read: bool) -> Result<(), End> {
        if self.give_back && self.input.is_empty() {
            self.input = BytesMut::new();
            self.give_back = false;
        }
        self.input.reserve(self.read_size);
        let room = self.input.capacity() - self.input.len();
        let wake = {
            let conn = &self.conn;
            let mut reading = pin!(self.stream.read_buf(&mut self.input));
            poll_fn(|cx| {
                conn.waker().register(cx.waker());
                if conn.take_woken() {
                    return Poll::Ready(Ok(Wake::Woken));
                }
                if read { reading.as_mut().poll(cx).map_ok(Wake::Read) } else { Poll::Pending }
            })
            .await?
        };
        match wake {
            Wake::Woken => Ok(()),
            Wake::Read(0) => Err(End::ByClient),
            Wake::Read(n) => self.was_read(n, room),
        }
    }

    fn was_read(&mut self, n: usize, room: usize) -> Result<(), End> {
        self.since = Instant::now();
        let metrics = &self.shared.hub.metrics;
        metrics.bytes_received.add(n as u64);
        metrics.socket_reads.add(1);
        self.adapt(n, room);
        let conn = &self.conn;
        let known = conn.is_established() && !conn.is_read_only();
        if known && !conn.heard().stamp(clock::monotonic_ms(), conn.patience()) {
            return Err(End::Silent);
        }
        Ok(())
    }

    /// Reads as much at once as the client sends at once: a busy one in few calls, an idle one in little memory.
    fn adapt(&mut self, n: usize, room: usize) {
        if n >= room {
            self.read_size = (self.read_size * 4).min(READ_AHEAD_BYTES);
            self.small_reads = 0;
        } else if n < self.read_size / 4 && self.read_size > FIRST_READ_BYTES {
            self.small_reads += 1;
        } else {
            self.small_reads = 0;
        }
        if self.small_reads == SMALL_READS {
            self.read_size = (self.read_size / 4).max(FIRST_READ_BYTES);
            self.small_reads = 0;
            self.give_back = true;
        }
    }

    /// Writes everything that is in the outbox, as one write call where the socket takes it. With `parks`, the task has
    /// nothing more to do then: it leaves the outlet to whoever fills the outbox next.
    async fn flush(&mut self, parks: bool) -> Result<(), End> {
        loop {
            {
                let mut queue = self.conn.queue();
                match queue.fate {
                    Fate::Cut => return Err(End::Cut),
                    Fate::Flush if queue.out.is_empty() => return Err(End::Flushed),
                    Fate::Drain if queue.out.is_empty() && queue.pending.is_empty() => return Err(End::Flushed),
                    Fate::Open | Fate::Drain if queue.out.is_empty() => {
                        queue.parked = parks;
                        return Ok(());
                    }
                    Fate::Open | Fate::Drain | Fate::Flush => {
                        queue.parked = false;
                        std::mem::swap(&mut queue.out, &mut self.spare);
                    }
                }
            }
            self.shared.hub.metrics.bytes_sent.add(self.spare.len() as u64);
            while !self.spare.is_empty() {
                self.answerable().await?;
                let n = self.write_some().await?;
                self.shared.hub.metrics.socket_writes.add(1);
                self.spare.advance(n);
            }
            written(&mut self.spare);
        }
    }

    /// One write call; ends early when the connection is cut.
    async fn write_some(&mut self) -> Result<usize, End> {
        let conn = &self.conn;
        let written = poll_fn(|cx| {
            if let Poll::Ready(result) = conn.outlet().poll_write(cx, &self.spare) {
                return Poll::Ready(Some(result));
            }
            conn.waker().register(cx.waker());
            // The wake itself is left for the next wait, which must see it.
            if conn.queue().fate == Fate::Cut { Poll::Ready(None) } else { Poll::Pending }
        })
        .await;
        match written {
            Some(Ok(0)) => Err(End::ByClient),
            Some(result) => Ok(result?),
            None => Err(End::Cut),
        }
    }

    /// Holds the answers while this member may not give any.
    async fn answerable(&self) -> Result<(), End> {
        let consensus = &self.shared.consensus;
        if consensus.may_answer() || self.conn.is_read_only() {
            return Ok(());
        }
        let known = Duration::from_millis(self.conn.timeout_ms());
        let patience = if known.is_zero() { self.shared.config.sessionless_timeout } else { known / 3 };
        let cut = poll_fn(|cx| {
            self.conn.waker().register(cx.waker());
            if self.conn.queue().fate == Fate::Cut { Poll::Ready(()) } else { Poll::Pending }
        });
        let since = Instant::now();
        let opened = tokio::select! {
            result = timeout(patience, consensus.answerable()) => result.map_err(|_| End::Held),
            () = cut => Err(End::Cut),
        };
        self.shared.hub.slow.held(&self.conn, since.elapsed(), &self.spare);
        opened?;
        // The gate opens once this member has seen what the leader had decided by then: also the end of the session.
        if self.conn.queue().fate == Fate::Cut { Err(End::Cut) } else { Ok(()) }
    }

    /// Lets the client take the last bytes: a socket closed with unread input would reset and lose them.
    async fn linger(&mut self) {
        if poll_fn(|cx| self.conn.outlet().poll_shutdown(cx)).await.is_err() {
            return;
        }
        self.input.clear();
        while self.stream.read_buf(&mut self.input).await.is_ok_and(|n| n > 0) {
            self.input.clear();
        }
    }
}
