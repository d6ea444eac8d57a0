//! Frames between members.
//!
//! ```text
//!   length:u32 │ format:u8 │ kind:u8 │ id:u64 │ body          length counts what follows it
//! ```
//!
//! Rule: every frame begins with a format version (design D19); a frame of another format, or longer than a log batch
//! can be, ends the link with a message that says so. `id` pairs an answer with its question on links that carry
//! several.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The only format of this release.
pub(crate) const FORMAT: u8 = 1;
/// `id` of an append whose answer is waited for.
pub(crate) const ANSWER_NOW: u64 = 0;
/// `id` of an append whose answer may travel with the next one.
pub(crate) const ANSWER_MAY_WAIT: u64 = 1;
const HEADER_LEN: usize = 10;
/// Above any frame that a member sends: a log batch is bounded far below, one entry by the largest client frame.
const LEN_MAX: usize = 256 << 20;
/// The same for what is said in a greeting, which a stranger may say.
pub(crate) const GREETING_LEN_MAX: usize = 64 << 10;

/// Bytes of room that is made for frames to come.
pub(crate) const READ_AHEAD: usize = 16 << 10;
/// More is made when less than this is left: the small frames of one write after the other share it.
const READ_MIN: usize = 2 << 10;

/// What a frame is; the numbers are stable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    Hello = 1,
    Challenge = 2,
    Proof = 3,
    Welcome = 4,
    Refused = 5,
    Append = 10,
    AppendAnswer = 11,
    Call = 20,
    Answer = 21,
    ForwardOpen = 30,
    ForwardOpened = 31,
    ForwardBatch = 32,
    ForwardClosed = 33,
    SnapshotBegin = 40,
    SnapshotChunk = 41,
    SnapshotEnd = 42,
    SnapshotAnswer = 43,
}

impl Kind {
    fn from_wire(code: u8) -> Option<Kind> {
        use Kind::*;
        [
            Hello,
            Challenge,
            Proof,
            Welcome,
            Refused,
            Append,
            AppendAnswer,
            Call,
            Answer,
            ForwardOpen,
            ForwardOpened,
            ForwardBatch,
            ForwardClosed,
            SnapshotBegin,
            SnapshotChunk,
            SnapshotEnd,
            SnapshotAnswer,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == code)
    }
}

/// One frame as received.
#[derive(Debug)]
pub(crate) struct Frame {
    pub kind: Kind,
    pub id: u64,
    pub body: Bytes,
}

impl Frame {
    /// The body, if the frame is of `kind`.
    pub(crate) fn expect(self, kind: Kind) -> io::Result<Bytes> {
        if self.kind == kind { Ok(self.body) } else { Err(protocol(format!("{kind:?} expected, got {:?}", self.kind))) }
    }
}

pub(crate) fn protocol(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("peer link: {}", what.into()))
}

/// Starts a frame in `out`; `end` closes it once the body is appended.
pub(crate) fn begin(out: &mut BytesMut, kind: Kind, id: u64) -> usize {
    let start = out.len();
    out.put_u32(0);
    out.put_u8(FORMAT);
    out.put_u8(kind as u8);
    out.put_u64(id);
    start
}

pub(crate) fn end(out: &mut BytesMut, start: usize) {
    let len = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&len.to_be_bytes());
}

pub(crate) fn put(out: &mut BytesMut, kind: Kind, id: u64, body: &[u8]) {
    let start = begin(out, kind, id);
    out.put_slice(body);
    end(out, start);
}

/// Takes one whole frame off the front of `buffer`, if it is there. Room is made for what its length announces.
fn take(buffer: &mut BytesMut, len_max: usize) -> io::Result<Option<Frame>> {
    let Some(prefix) = buffer.first_chunk::<4>() else { return Ok(None) };
    let len = u32::from_be_bytes(*prefix) as usize;
    if !(HEADER_LEN..=len_max).contains(&len) {
        return Err(protocol(format!("a frame of {len} bytes is impossible")));
    }
    if buffer.len() < 4 + len {
        buffer.reserve(4 + len - buffer.len());
        return Ok(None);
    }
    let mut frame = buffer.split_to(4 + len).freeze();
    frame.advance(4);
    let format = frame.get_u8();
    if format != FORMAT {
        return Err(protocol(format!("frame format {format} is not spoken here, only {FORMAT}")));
    }
    let code = frame.get_u8();
    let kind = Kind::from_wire(code).ok_or_else(|| protocol(format!("unknown frame kind {code}")))?;
    Ok(Some(Frame { kind, id: frame.get_u64(), body: frame }))
}

/// Whether one whole frame is there.
pub(crate) fn is_whole(buffer: &[u8]) -> bool {
    buffer.first_chunk::<4>().is_some_and(|prefix| buffer.len() - 4 >= u32::from_be_bytes(*prefix) as usize)
}

/// Reads until one whole frame is there.
///
/// # Errors
/// `UnexpectedEof` when the peer closed the link.
pub(crate) async fn read<R: AsyncRead + Unpin>(stream: &mut R, buffer: &mut BytesMut) -> io::Result<Frame> {
    read_at_most(stream, buffer, LEN_MAX).await
}

/// The same of a frame of at most so many bytes.
pub(crate) async fn read_at_most<R: AsyncRead + Unpin>(
    stream: &mut R,
    buffer: &mut BytesMut,
    len_max: usize,
) -> io::Result<Frame> {
    loop {
        if let Some(frame) = take(buffer, len_max)? {
            return Ok(frame);
        }
        if buffer.capacity() - buffer.len() < READ_MIN {
            buffer.reserve(READ_AHEAD);
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Writes all of `out` and leaves it empty.
pub(crate) async fn flush<W: AsyncWrite + Unpin>(stream: &mut W, out: &mut BytesMut) -> io::Result<()> {
    stream.write_all(out).await?;
    out.clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_taken_only_when_it_is_whole() {
        let mut out = BytesMut::new();
        put(&mut out, Kind::Call, 7, b"body");
        for cut in 0..out.len() {
            assert!(take(&mut BytesMut::from(&out[..cut]), LEN_MAX).unwrap().is_none());
        }
        let frame = take(&mut out, LEN_MAX).unwrap().unwrap();
        assert_eq!((frame.kind, frame.id, &frame.body[..]), (Kind::Call, 7, &b"body"[..]));
    }

    #[test]
    fn impossible_lengths_formats_and_kinds_are_refused() {
        let refuses = |bytes: &[u8]| take(&mut BytesMut::from(bytes), LEN_MAX).is_err();
        assert!(refuses(&[0xff, 0xff, 0xff, 0xff]));
        assert!(refuses(&[0, 0, 0, 3, 1, 1, 1]));
        assert!(refuses(&[0, 0, 0, 10, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0]));
        assert!(refuses(&[0, 0, 0, 10, 1, 99, 0, 0, 0, 0, 0, 0, 0, 0]));
    }

    #[test]
    fn a_frame_is_whole_when_it_can_be_taken() {
        let mut out = BytesMut::new();
        put(&mut out, Kind::Call, 7, b"body");
        for cut in 0..out.len() {
            assert!(!is_whole(&out[..cut]));
        }
        assert!(is_whole(&out));
        put(&mut out, Kind::Call, 8, b"");
        assert!(is_whole(&out));
    }

    #[tokio::test]
    async fn small_frames_that_are_kept_share_their_room() {
        let (mut near, mut far) = tokio::io::duplex(64 << 10);
        let (mut out, mut buffer, mut kept) = (BytesMut::new(), BytesMut::new(), Vec::new());
        for id in 0..40 {
            put(&mut out, Kind::Append, id, &[1; 200]);
            flush(&mut near, &mut out).await.unwrap();
            kept.push(read(&mut far, &mut buffer).await.unwrap().body);
        }
        let beside = |pair: &[Bytes]| pair[0].as_ptr() as usize + 214 == pair[1].as_ptr() as usize;
        assert!(kept.windows(2).all(beside), "a frame of 214 bytes took room of its own");
    }

    #[tokio::test]
    async fn no_room_is_made_for_what_a_stranger_announces() {
        for len in [LEN_MAX, GREETING_LEN_MAX + 1] {
            let mut buffer = BytesMut::from(&u32::try_from(len).unwrap().to_be_bytes()[..]);
            let read = read_at_most(&mut tokio::io::empty(), &mut buffer, GREETING_LEN_MAX).await;
            assert_eq!(read.unwrap_err().kind(), io::ErrorKind::InvalidData);
            assert!(buffer.capacity() < 1024);
        }
    }
}
