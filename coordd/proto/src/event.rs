//! Watch events: frames that no request asked for.

use bytes::BytesMut;

use crate::ids::{Xid, Zxid};
use crate::jute::Writer;
use crate::reply::{ReplyHeader, begin_frame, end_frame};

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
    w.string(path);
    end_frame(out, start);
}
