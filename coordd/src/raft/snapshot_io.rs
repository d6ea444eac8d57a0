//! The bytes of a snapshot on their way: from the state to a file, to a peer, from a peer, into a state.
//!
//! ```text
//!   link: SnapshotBegin{vote, meta, length} │ SnapshotChunk … │ SnapshotEnd ──► SnapshotAnswer{vote}
//! ```
//!
//! Rule: what comes in is checked as a whole before openraft hears of it, and work on files never stands in an async
//! task's way. A transfer has no deadline; a link on which nothing moves is cut.

use std::io::{self, IoSlice, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use coordd_tree::{SnapshotWriter, State};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::Raft;
use super::applied::Applied;
use super::levels;
use super::peer::frame::{self, Frame, Kind, protocol};
use super::peer::link::Link;
use super::peer::server::Incoming;
use super::snapshot_store::{Snapshot, SnapshotFile, SnapshotMeta, SnapshotStore};
use super::types::Vote;
use crate::planted;

const CHUNK: usize = 256 << 10;
/// Written bytes after which the file is flushed, so that the log never waits behind a mountain of dirty pages.
const FLUSH_EVERY: u64 = 4 << 20;
const STALL_MAX: Duration = Duration::from_secs(10);
/// Installing takes as long as it takes to load the tree.
const INSTALL_MAX: Duration = Duration::from_secs(600);

/// Runs work on files where it holds up no task.
#[cfg(not(feature = "sim"))]
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// In the simulation at once: the disk is in memory, and another thread would come back when it likes.
#[cfg(feature = "sim")]
pub(crate) async fn blocking<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    work()
}

/// The meta as it stands in the head of a snapshot file.
pub(crate) fn encode_meta(meta: &SnapshotMeta) -> Bytes {
    // Plain maps, numbers and strings: serialising them has no way to fail.
    serde_json::to_vec(meta).unwrap_or_default().into()
}

/// Reads a snapshot file from its start.
struct FileReader {
    file: SnapshotFile,
    offset: u64,
    len: u64,
}

impl FileReader {
    fn new(file: &SnapshotFile) -> io::Result<FileReader> {
        Ok(FileReader { file: file.clone(), offset: 0, len: file.file.len()? })
    }
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(usize::try_from(self.len - self.offset).unwrap_or(usize::MAX));
        self.file.file.read_at(self.offset, &mut buffer[..count])?;
        self.offset += count as u64;
        Ok(count)
    }
}

/// The meta in the head of a file; the rest is not looked at.
pub(crate) fn read_meta(file: &SnapshotFile) -> io::Result<SnapshotMeta> {
    let meta = State::peek_meta(io::BufReader::new(FileReader::new(file)?)).map_err(io::Error::other)?;
    serde_json::from_slice(&meta).map_err(io::Error::other)
}

fn damaged(file: &SnapshotFile, error: &coordd_tree::SnapshotError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("snapshot {}: {error}", file.path.display()))
}

/// Whether a file is whole and its checksum holds.
pub(crate) fn check(file: &SnapshotFile) -> io::Result<()> {
    let reader = io::BufReader::with_capacity(CHUNK, FileReader::new(file)?);
    State::check_snapshot(reader).map_err(|error| damaged(file, &error))
}

/// The state in a file, checked.
pub(crate) fn load(file: &SnapshotFile) -> io::Result<State> {
    let reader = io::BufReader::with_capacity(CHUNK, FileReader::new(file)?);
    let (mut state, _) = State::load(reader).map_err(|error| damaged(file, &error))?;
    planted::forget_sessions(&mut state);
    levels::check_state(&state)?;
    Ok(state)
}

pub(crate) fn copy(from: &SnapshotFile, to: &SnapshotFile) -> io::Result<()> {
    let mut reader = FileReader::new(from)?;
    let mut buffer = vec![0; CHUNK];
    loop {
        let offset = reader.offset;
        let count = reader.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        to.file.write_at(offset, &[IoSlice::new(&buffer[..count])])?;
    }
}

/// Writes a snapshot of the cut into `file`, chunk by chunk under short read guards, while apply goes on.
pub(crate) async fn write(file: &SnapshotFile, applied: &Arc<Applied>, mut writer: SnapshotWriter) -> io::Result<()> {
    let mut offset = 0;
    let mut flushed = 0;
    loop {
        let (file, applied) = (file.file.clone(), applied.clone());
        let flush = offset - flushed > FLUSH_EVERY;
        let (next, len, more) = blocking(move || {
            let mut chunk = BytesMut::with_capacity(CHUNK);
            let more = writer.chunk(&applied.state.read(), &mut chunk).map_err(io::Error::other)?;
            file.write_at(offset, &[IoSlice::new(&chunk)])?;
            if flush {
                file.sync_data()?;
            }
            Ok((writer, chunk.len() as u64, more))
        })
        .await?;
        writer = next;
        offset += len;
        if flush {
            flushed = offset;
        }
        if !more {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}

/// A snapshot file, piece by piece, after its checksum was found to hold.
pub struct Pieces {
    file: SnapshotFile,
    offset: u64,
    len: u64,
}

impl Pieces {
    /// The length and the pieces of a file that was read whole once and is sound.
    pub(crate) fn of(file: SnapshotFile) -> io::Result<(u64, Pieces)> {
        check(&file)?;
        let len = file.file.len()?;
        Ok((len, Pieces { file, offset: 0, len }))
    }

    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Option<io::Result<Bytes>> {
        let count = CHUNK.min(usize::try_from(self.len - self.offset).unwrap_or(usize::MAX));
        if count == 0 {
            return None;
        }
        let (file, offset) = (self.file.file.clone(), self.offset);
        self.offset += count as u64;
        let read = blocking(move || {
            let mut piece = vec![0; count];
            file.read_at(offset, &mut piece)?;
            Ok(Bytes::from(piece))
        });
        Some(read.await)
    }
}

#[derive(Serialize, Deserialize)]
struct Begin {
    vote: Vote,
    meta: SnapshotMeta,
    len: u64,
}

async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Sends a snapshot; the vote that the receiver has afterwards.
pub(crate) async fn send(link: &mut Link, vote: Vote, snapshot: Snapshot) -> io::Result<Vote> {
    let file = snapshot.snapshot.file.clone();
    let len = file.len()?;
    let mut out = BytesMut::new();
    let begin = serde_json::to_vec(&Begin { vote, meta: snapshot.meta, len })?;
    frame::put(&mut out, Kind::SnapshotBegin, 0, &begin);
    let mut offset = 0;
    while offset < len {
        within(STALL_MAX, link.send(&mut out)).await?;
        let count = CHUNK.min(usize::try_from(len - offset).unwrap_or(usize::MAX));
        let file = file.clone();
        let chunk = blocking(move || {
            let mut chunk = vec![0; count];
            file.read_at(offset, &mut chunk)?;
            Ok(chunk)
        })
        .await?;
        frame::put(&mut out, Kind::SnapshotChunk, offset, &chunk);
        offset += count as u64;
    }
    frame::put(&mut out, Kind::SnapshotEnd, len, &[]);
    within(STALL_MAX, link.send(&mut out)).await?;
    let answer = within(INSTALL_MAX, link.read()).await?.expect(Kind::SnapshotAnswer)?;
    serde_json::from_slice(&answer).map_err(io::Error::from)
}

/// Takes a snapshot in from the leader, checks it, and has it installed.
pub(crate) async fn receive(
    raft: &Raft,
    store: &Arc<SnapshotStore>,
    mut link: Incoming,
    begin: Frame,
) -> io::Result<()> {
    let Begin { vote, meta, len } = serde_json::from_slice(&begin.expect(Kind::SnapshotBegin)?)?;
    tracing::info!(bytes = len, "receiving a snapshot");
    let tmp = store.create_tmp("incoming")?;
    let finished = match take_chunks(&mut link, &tmp, len).await {
        Ok(()) => {
            let (store, tmp, meta) = (store.clone(), tmp.clone(), meta.clone());
            blocking(move || store.finish(tmp, &meta)).await
        }
        Err(error) => Err(error),
    };
    let file = finished.inspect_err(|_| store.discard(&tmp))?;
    let installed = raft.install_full_snapshot(vote, Snapshot { meta, snapshot: file }).await;
    let answer = installed.map_err(io::Error::other)?;
    let mut out = BytesMut::new();
    frame::put(&mut out, Kind::SnapshotAnswer, 0, &serde_json::to_vec(&answer.vote)?);
    link.send(&mut out).await
}

async fn take_chunks(link: &mut Incoming, tmp: &SnapshotFile, len: u64) -> io::Result<()> {
    let mut offset = 0;
    loop {
        let Frame { kind, id, body } = within(STALL_MAX, link.read()).await?;
        match kind {
            Kind::SnapshotChunk if id == offset => {
                offset += body.len() as u64;
                let file = tmp.file.clone();
                blocking(move || file.write_at(id, &[IoSlice::new(&body)])).await?;
            }
            Kind::SnapshotEnd if offset == len => return Ok(()),
            other => return Err(protocol(format!("{other:?} at byte {offset} of a snapshot of {len}"))),
        }
    }
}
