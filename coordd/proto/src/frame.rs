//! Cutting a stream of bytes into frames.
//!
//! Rule: a length is judged before any byte behind it is waited for, and a frame is handed on without a copy.

use bytes::{Buf, Bytes, BytesMut};

/// ZooKeeper's `jute.maxbuffer`; a frame of exactly this length passes.
pub const DEFAULT_MAX_FRAME: usize = 0xf_ffff;

const LENGTH_LEN: usize = 4;

/// The peer announced a frame that is never accepted; ZooKeeper closes the connection without an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a frame of {len} bytes is negative or longer than {max}")]
pub struct FrameError {
    pub len: i32,
    pub max: usize,
}

/// Takes the next whole frame off `input`, without its length; `None` while bytes are missing.
///
/// # Errors
/// When the length is negative or beyond `max`.
pub fn next_frame(input: &mut BytesMut, max: usize) -> Result<Option<Bytes>, FrameError> {
    let Some(length) = input.first_chunk::<LENGTH_LEN>() else { return Ok(None) };
    let announced = i32::from_be_bytes(*length);
    let len = usize::try_from(announced).ok().filter(|len| *len <= max);
    let len = len.ok_or(FrameError { len: announced, max })?;
    if input.len() - LENGTH_LEN < len {
        return Ok(None);
    }
    input.advance(LENGTH_LEN);
    Ok(Some(input.split_to(len).freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_one_by_one_and_whole() {
        let mut input = BytesMut::from(&b"\0\0\0\x02ab\0\0\0\0\0\0\0\x01"[..]);
        assert_eq!(next_frame(&mut input, 2), Ok(Some(Bytes::from_static(b"ab"))));
        assert_eq!(next_frame(&mut input, 2), Ok(Some(Bytes::new())));
        assert_eq!(next_frame(&mut input, 2), Ok(None));
        input.extend_from_slice(b"c");
        assert_eq!(next_frame(&mut input, 2), Ok(Some(Bytes::from_static(b"c"))));
        assert!(input.is_empty());
    }

    #[test]
    fn a_length_is_refused_before_its_bytes_are_there() {
        for (length, len) in [(&b"\0\0\0\x03"[..], 3), (b"\xff\xff\xff\xff", -1), (b"\x7f\xff\xff\xff", i32::MAX)] {
            assert_eq!(next_frame(&mut BytesMut::from(length), 2), Err(FrameError { len, max: 2 }));
        }
    }
}
