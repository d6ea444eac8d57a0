//! Watch events: frames that no request asked for.

use std::borrow::Cow;

use bytes::BytesMut;

use crate::ids::{Xid, Zxid};
use crate::jute::{DecodeError, Reader, Writer};
use crate::reply::{ReplyHeader, begin_frame, end_frame};
use crate::request::path;

/// What happened to a watched znode.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(i32)]
pub enum EventType {
    NodeCreated = 1,
    NodeDeleted = 2,
    NodeDataChanged = 3,
    NodeChildrenChanged = 4,
}

/// The only state that a server ever puts into an event.
const SYNC_CONNECTED: i32 = 3;

/// Appends a whole event frame; `zxid` is that of the change, or -1 for what setWatches finds.
pub fn encode_event(out: &mut BytesMut, zxid: Zxid, event: EventType, path: &str) {
    let start = begin_frame(out);
    let mut w = Writer::new(out);
    ReplyHeader { xid: Xid::NOTIFICATION, zxid, error: 0 }.encode(&mut w);
    w.i32(event as i32);
    w.i32(SYNC_CONNECTED);
    w.java_string(path);
    end_frame(out, start);
}

/// An event as a client reads it, behind its header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WatchEvent<'a> {
    pub event: EventType,
    pub path: Cow<'a, str>,
}

impl<'a> WatchEvent<'a> {
    /// # Errors
    /// When the record is too short or the type of the event is none that a server sends.
    pub fn decode(record: &'a [u8]) -> Result<Self, DecodeError> {
        let from = &mut Reader::new(record);
        let event = match from.i32()? {
            1 => EventType::NodeCreated,
            2 => EventType::NodeDeleted,
            3 => EventType::NodeDataChanged,
            4 => EventType::NodeChildrenChanged,
            other => return Err(DecodeError::BadValue(other)),
        };
        let _state = from.i32()?;
        Ok(WatchEvent { event, path: path(from)? })
    }
}
