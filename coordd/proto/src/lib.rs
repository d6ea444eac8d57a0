//! ZooKeeper's wire protocol on one page: bytes in, values out.
//!
//! ```text
//!   frame = length:i32 │ payload            (both directions; big-endian; length bounded before anything is allocated)
//!   first frame of a connection             ConnectRequest  →  ConnectResponse        (no headers)
//!   every other request                     RequestHeader{xid, op} + record
//!   every reply                             ReplyHeader{xid, zxid, err} + record, no record when err ≠ 0
//!   a watch event                           ReplyHeader{-1, zxid, 0} + WatcherEvent
//! ```
//!
//! Rule: decoding never panics and allocates at most in proportion to the input; a decoder borrows from the frame
//! wherever it can. Reason: these bytes come from strangers, and each write's record travels into the log entry
//! uncopied. This crate knows nothing of sessions, trees or Raft.

pub mod acl;
pub mod client;
pub mod connect;
pub mod create_mode;
pub mod error_code;
pub mod event;
pub mod frame;
pub mod ids;
mod java_text;
pub mod jute;
pub mod multi;
pub mod op_code;
pub mod path;
pub mod reply;
pub mod request;
pub mod stat;

pub use acl::{Acl, AuthId, Perms};
pub use client::encode_request;
pub use connect::{ConnectRequest, ConnectResponse};
pub use create_mode::CreateMode;
pub use error_code::ErrorCode;
pub use event::{EventType, WatchEvent, encode_event};
pub use frame::{FrameError, next_frame};
pub use ids::{SessionId, Xid, Zxid};
pub use jute::{DecodeError, Reader, Writer};
pub use multi::{MultiOp, MultiResult, reads_before_null};
pub use op_code::OpCode;
pub use reply::{ClientInfo, Reply, ReplyHeader, begin_frame, encode_reads, encode_reply, end_frame};
pub use request::{
    AclListRef, AclRef, AddWatchMode, Create, Request, RequestHeader, SetData, SetWatches, WatcherType,
    is_refused_unnumbered,
};
pub use stat::Stat;
