//! The handshake: the first frame in each direction, the only ones without a header.
//!
//! Rule: `readOnly` is absent in what old and some third-party clients send; then it is absent in the answer too. A
//! client is told that its session is gone by an answer of zeros.

use bytes::BytesMut;

use crate::ids::{SessionId, Zxid};
use crate::jute::{DecodeError, Reader, Writer};
use crate::reply::{begin_frame, end_frame};

pub const PASSWORD_LEN: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectRequest<'a> {
    pub protocol_version: i32,
    pub last_zxid_seen: Zxid,
    pub timeout_ms: i32,
    /// `SessionId::NONE` asks for a new session.
    pub session: SessionId,
    pub password: Option<&'a [u8]>,
    pub read_only: Option<bool>,
}

impl<'a> ConnectRequest<'a> {
    pub fn decode(record: &'a [u8]) -> Result<Self, DecodeError> {
        let from = &mut Reader::new(record);
        let mut request = ConnectRequest {
            protocol_version: from.i32()?,
            last_zxid_seen: Zxid(from.i64()?),
            timeout_ms: from.i32()?,
            session: SessionId(from.i64()?),
            password: from.buffer()?,
            read_only: None,
        };
        if !from.rest().is_empty() {
            request.read_only = Some(from.bool()?);
        }
        Ok(request)
    }

    /// Appends a whole frame.
    pub fn encode_frame(&self, out: &mut BytesMut) {
        let start = begin_frame(out);
        let mut w = Writer::new(out);
        w.i32(self.protocol_version);
        w.i64(self.last_zxid_seen.0);
        w.i32(self.timeout_ms);
        w.i64(self.session.0);
        w.buffer(self.password);
        if let Some(read_only) = self.read_only {
            w.bool(read_only);
        }
        end_frame(out, start);
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectResponse {
    /// 0 or less: the session does not exist (any more).
    pub timeout_ms: i32,
    pub session: SessionId,
    pub password: [u8; PASSWORD_LEN],
    /// `None` leaves the field out.
    pub read_only: Option<bool>,
}

impl ConnectResponse {
    pub fn new(timeout_ms: i32, session: SessionId, password: [u8; PASSWORD_LEN], read_only: Option<bool>) -> Self {
        ConnectResponse { timeout_ms, session, password, read_only }
    }

    /// Appends a whole frame.
    pub fn encode_frame(&self, out: &mut BytesMut) {
        let start = begin_frame(out);
        let mut w = Writer::new(out);
        w.i32(0);
        w.i32(self.timeout_ms);
        w.i64(self.session.0);
        w.buffer(Some(&self.password));
        if let Some(read_only) = self.read_only {
            w.bool(read_only);
        }
        end_frame(out, start);
    }

    pub fn decode(record: &[u8]) -> Result<Self, DecodeError> {
        let from = &mut Reader::new(record);
        from.i32()?;
        let (timeout_ms, session) = (from.i32()?, SessionId(from.i64()?));
        let password = from.buffer()?.unwrap_or_default();
        let password =
            password.try_into().map_err(|_| DecodeError::BadLength(i32::try_from(password.len()).unwrap_or(-1)))?;
        let read_only = if from.rest().is_empty() { None } else { Some(from.bool()?) };
        Ok(ConnectResponse { timeout_ms, session, password, read_only })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_sizes_are_those_of_the_java_client() {
        let mut request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid(7),
            timeout_ms: 30_000,
            session: SessionId(9),
            password: Some(&[1; 16]),
            read_only: Some(true),
        };
        for (read_only, request_len, response_len) in [(Some(true), 45, 37), (None, 44, 36)] {
            request.read_only = read_only;
            let mut out = BytesMut::new();
            request.encode_frame(&mut out);
            assert_eq!(out.len(), 4 + request_len);
            assert_eq!(ConnectRequest::decode(&out[4..]), Ok(request));
            let response = ConnectResponse::new(4000, SessionId(9), [2; 16], read_only);
            let mut out = BytesMut::new();
            response.encode_frame(&mut out);
            assert_eq!(out.len(), 4 + response_len);
            assert_eq!(ConnectResponse::decode(&out[4..]), Ok(response));
        }
    }
}
