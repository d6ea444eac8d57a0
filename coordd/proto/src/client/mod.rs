//! The other end of the wire: what a client writes and reads.
//!
//! ```text
//!   Request ─ encode_request ─► frame ─► server ─► frame ─ next_frame ─► ReplyHeader ─┬─ xid -1: WatchEvent::decode
//!                                                                                     └─ err 0: Reply::decode(op)
//! ```
//!
//! Rule: a reply does not say what it answers, so a client keeps the operation of each xid that it awaits. Here stands
//! no socket and no state; `coordd cli`, tests and load generators bring their own.

mod reply;
mod request;

pub use request::encode_request;
