//! Jute, the encoding of every ZooKeeper record: fields one after another, big-endian, no tags.
//!
//! ```text
//!   bool = 1 byte (any non-zero reads as true) │ i32, i64 = 4, 8 bytes
//!   buffer, string = length:i32 + bytes, length -1 = null │ vector<T> = count:i32 + items, count -1 = null
//! ```
//!
//! Rule: `Reader` borrows from its input and checks every length against what is left, so a hostile length costs
//! nothing. Null and empty are different values end to end (a znode created with null data reads back as null).

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};

use crate::java_text;

/// Why bytes are not the record they were said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("{wanted} bytes wanted, {left} left")]
    Truncated { wanted: usize, left: usize },
    #[error("length {0} is negative or beyond the record")]
    BadLength(i32),
    #[error("{0} is not a value of this field")]
    BadValue(i32),
    #[error("null where it may not stand")]
    Null,
    #[error("null for an ACL inside of a multi")]
    NullAcl,
}

/// Reads jute fields from a borrowed record.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(record: &'a [u8]) -> Self {
        Reader { rest: record }
    }

    /// What is not read yet. Unknown trailing bytes of a request are legal and ignored.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub fn take(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(n) {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(head)
            }
            None => Err(DecodeError::Truncated { wanted: n, left: self.rest.len() }),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        match self.rest.split_first_chunk::<N>() {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(*head)
            }
            None => Err(DecodeError::Truncated { wanted: N, left: self.rest.len() }),
        }
    }

    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        Ok(self.array::<1>()?[0] != 0)
    }

    pub fn i32(&mut self) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// A buffer; `None` is null.
    pub fn buffer(&mut self) -> Result<Option<&'a [u8]>, DecodeError> {
        let len = self.i32()?;
        if len == -1 {
            return Ok(None);
        }
        let wanted = usize::try_from(len).map_err(|_| DecodeError::BadLength(len))?;
        self.take(wanted).map(Some)
    }

    /// A string; what is not UTF-8 becomes U+FFFD, exactly as in Java. `None` is null.
    pub fn string(&mut self) -> Result<Option<Cow<'a, str>>, DecodeError> {
        Ok(self.buffer()?.map(java_text::decode))
    }

    /// The count of a vector, never more than the bytes left could hold at `min_item` bytes an item. `None` is null.
    pub fn count(&mut self, min_item: usize) -> Result<Option<usize>, DecodeError> {
        let count = self.i32()?;
        if count == -1 {
            return Ok(None);
        }
        match usize::try_from(count) {
            Ok(n) if n.saturating_mul(min_item.max(1)) <= self.rest.len() => Ok(Some(n)),
            _ => Err(DecodeError::BadLength(count)),
        }
    }
}

/// Appends jute fields to a buffer.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut BytesMut,
}

impl<'a> Writer<'a> {
    pub fn new(out: &'a mut BytesMut) -> Self {
        Writer { out }
    }

    pub fn bool(&mut self, value: bool) {
        self.out.put_u8(u8::from(value));
    }

    pub fn i32(&mut self, value: i32) {
        self.out.put_i32(value);
    }

    pub fn i64(&mut self, value: i64) {
        self.out.put_i64(value);
    }

    /// Raw bytes without a length.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.put_slice(bytes);
    }

    /// A buffer; `None` is null.
    pub fn buffer(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            None => self.i32(-1),
            Some(bytes) => {
                self.count(bytes.len());
                self.out.put_slice(bytes);
            }
        }
    }

    /// A string in plain UTF-8: what is read back is what was written.
    pub fn string(&mut self, text: &str) {
        self.buffer(Some(text.as_bytes()));
    }

    /// A string as a Java server would send it, see `java_text`.
    pub(crate) fn java_string(&mut self, text: &str) {
        java_text::encode(text, self);
    }

    /// The count of a vector, or the length of what follows. Lengths are bounded far below 2^31 by the frame limit.
    pub fn count(&mut self, n: usize) {
        self.i32(i32::try_from(n).unwrap_or(i32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_empty_buffers_stay_apart() {
        let mut out = BytesMut::new();
        let mut w = Writer::new(&mut out);
        w.buffer(None);
        w.buffer(Some(b""));
        let mut r = Reader::new(&out);
        assert_eq!(r.buffer(), Ok(None));
        assert_eq!(r.buffer(), Ok(Some(&b""[..])));
        assert!(r.rest().is_empty());
    }

    #[test]
    fn a_hostile_length_is_refused_without_allocation() {
        assert_eq!(
            Reader::new(&[0x7f, 0xff, 0xff, 0xff, 1]).buffer(),
            Err(DecodeError::Truncated { wanted: 0x7fff_ffff, left: 1 })
        );
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xfe]).buffer(), Err(DecodeError::BadLength(-2)));
        assert_eq!(Reader::new(&[0x7f, 0xff, 0xff, 0xff, 1]).count(1), Err(DecodeError::BadLength(i32::MAX)));
    }
}
