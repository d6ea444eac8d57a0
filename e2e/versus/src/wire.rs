//! The ZooKeeper wire as a client speaks it: requests out, frames in.
//!
//! ```text
//!   frame(out, xid, op, |record| …)  appends  length │ xid │ op │ record
//!   take_frame(input)                yields   one payload, or nothing until more bytes come
//!   Reply::parse(payload)            yields   xid │ zxid │ err │ body (borrowed)
//! ```
//!
//! Rule: only jute's base types are shared with coordd; every record is written here a second time. Reason: a checker
//! that decodes with the server's own code repeats the server's own mistakes.

use bytes::BytesMut;
use coordd_proto::jute::{DecodeError, Reader, Writer};

/// The operations by number (ZooDefs.java `OpCode`).
pub mod op {
    pub const CREATE: i32 = 1;
    pub const DELETE: i32 = 2;
    pub const EXISTS: i32 = 3;
    pub const GET_DATA: i32 = 4;
    pub const SET_DATA: i32 = 5;
    pub const GET_ACL: i32 = 6;
    pub const SET_ACL: i32 = 7;
    pub const GET_CHILDREN: i32 = 8;
    pub const SYNC: i32 = 9;
    pub const PING: i32 = 11;
    pub const GET_CHILDREN2: i32 = 12;
    pub const CHECK: i32 = 13;
    pub const MULTI: i32 = 14;
    pub const CREATE2: i32 = 15;
    pub const RECONFIG: i32 = 16;
    pub const CHECK_WATCHES: i32 = 17;
    pub const REMOVE_WATCHES: i32 = 18;
    pub const CREATE_CONTAINER: i32 = 19;
    pub const CREATE_TTL: i32 = 21;
    pub const MULTI_READ: i32 = 22;
    pub const AUTH: i32 = 100;
    pub const SET_WATCHES: i32 = 101;
    pub const SASL: i32 = 102;
    pub const GET_EPHEMERALS: i32 = 103;
    pub const GET_ALL_CHILDREN_NUMBER: i32 = 104;
    pub const SET_WATCHES2: i32 = 105;
    pub const ADD_WATCH: i32 = 106;
    pub const WHO_AM_I: i32 = 107;
    pub const CLOSE_SESSION: i32 = -11;
    pub const ERROR: i32 = -1;
}

/// The xids that mean something by themselves.
pub mod xid {
    pub const NOTIFICATION: i32 = -1;
    pub const PING: i32 = -2;
    pub const AUTH: i32 = -4;
    pub const SET_WATCHES: i32 = -8;
}

/// The largest frame that a client of ours believes; a longer one is a broken server.
const MAX_FRAME: usize = 64 << 20;

/// Appends one request frame.
pub fn frame(out: &mut BytesMut, xid: i32, op: i32, record: impl FnOnce(&mut Writer<'_>)) {
    raw_frame(out, |w| {
        w.i32(xid);
        w.i32(op);
        record(w);
    });
}

/// Appends one frame without a request header.
pub fn raw_frame(out: &mut BytesMut, payload: impl FnOnce(&mut Writer<'_>)) {
    let start = out.len();
    let mut w = Writer::new(out);
    w.i32(0);
    payload(&mut w);
    let len = i32::try_from(out.len() - start - 4).unwrap_or(i32::MAX);
    out[start..start + 4].copy_from_slice(&len.to_be_bytes());
}

/// One frame without its length.
pub type Payload<'a> = &'a [u8];
/// What follows a frame.
pub type Rest<'a> = &'a [u8];

/// The payload of the first whole frame of `input` and what follows it; `None` until more bytes have come.
pub fn take_frame(input: &[u8]) -> Result<Option<(Payload<'_>, Rest<'_>)>, DecodeError> {
    let Some((head, rest)) = input.split_first_chunk::<4>() else { return Ok(None) };
    let len = i32::from_be_bytes(*head);
    match usize::try_from(len) {
        Ok(n) if n <= MAX_FRAME => Ok(rest.split_at_checked(n)),
        _ => Err(DecodeError::BadLength(len)),
    }
}

/// A reply or an event, its body still encoded.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    pub xid: i32,
    pub zxid: i64,
    pub err: i32,
    pub body: &'a [u8],
}

impl<'a> Reply<'a> {
    pub fn parse(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(payload);
        let (xid, zxid, err) = (r.i32()?, r.i64()?, r.i32()?);
        Ok(Reply { xid, zxid, err, body: r.rest() })
    }
}

/// A watch event as the server sends it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Event {
    pub kind: i32,
    pub state: i32,
    pub path: String,
    pub zxid: i64,
}

impl Event {
    pub const CREATED: i32 = 1;
    pub const DELETED: i32 = 2;
    pub const DATA_CHANGED: i32 = 3;
    pub const CHILDREN_CHANGED: i32 = 4;

    pub fn parse(reply: &Reply<'_>) -> Result<Self, DecodeError> {
        let mut r = Reader::new(reply.body);
        let (kind, state) = (r.i32()?, r.i32()?);
        let path = r.string()?.unwrap_or_default().into_owned();
        Ok(Event { kind, state, path, zxid: reply.zxid })
    }
}

/// What a client offers and keeps of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attach {
    /// 0 asks for a new session.
    pub session: i64,
    pub password: [u8; 16],
    pub timeout_ms: i32,
    pub last_zxid: i64,
}

impl Attach {
    pub fn new_session(timeout_ms: i32) -> Self {
        Attach { timeout_ms, ..Attach::default() }
    }

    /// Appends the ConnectRequest.
    pub fn encode(&self, out: &mut BytesMut) {
        raw_frame(out, |w| {
            w.i32(0);
            w.i64(self.last_zxid);
            w.i32(self.timeout_ms);
            w.i64(self.session);
            w.buffer(Some(&self.password));
            w.bool(false);
        });
    }

    /// What the ConnectResponse grants; `None` when the session is refused (expired, wrong password).
    pub fn granted(&self, payload: &[u8]) -> Result<Option<Attach>, DecodeError> {
        let mut r = Reader::new(payload);
        let _protocol = r.i32()?;
        let timeout_ms = r.i32()?;
        let session = r.i64()?;
        let password = r.buffer()?.and_then(|p| p.try_into().ok()).unwrap_or_default();
        if timeout_ms <= 0 {
            return Ok(None);
        }
        Ok(Some(Attach { session, password, timeout_ms, last_zxid: self.last_zxid }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_the_bytes_that_the_java_client_sends() {
        let mut out = BytesMut::new();
        frame(&mut out, 7, op::EXISTS, |w| {
            w.string("/a");
            w.bool(true);
        });
        assert_eq!(out[..], [0, 0, 0, 15, 0, 0, 0, 7, 0, 0, 0, 3, 0, 0, 0, 2, b'/', b'a', 1]);
    }

    #[test]
    fn a_connect_request_has_the_usual_45_bytes() {
        let mut out = BytesMut::new();
        Attach::new_session(4000).encode(&mut out);
        assert_eq!(out[..4], [0, 0, 0, 45]);
        assert_eq!(out.len(), 49);
    }

    #[test]
    fn a_frame_is_taken_only_when_it_is_whole() {
        assert_eq!(take_frame(&[0, 0, 0, 2, 1]), Ok(None));
        assert_eq!(take_frame(&[0, 0, 0, 2, 1, 2, 3]), Ok(Some((&[1u8, 2][..], &[3u8][..]))));
        assert!(take_frame(&[0xff, 0, 0, 0]).is_err());
    }

    #[test]
    fn a_refused_session_is_told_by_a_timeout_of_zero() {
        let mut payload = vec![0; 16];
        payload.extend([0, 0, 0, 16]);
        payload.extend([0; 17]);
        assert_eq!(Attach::default().granted(&payload), Ok(None));
    }
}
