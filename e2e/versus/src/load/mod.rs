//! The load generator: many connections, one thread, no task per request.
//!
//! ```text
//!   poll ─► socket readable ─► read once ─► every whole frame: match with the oldest pending, call the load
//!        ◄────────────────────────── write once ◄── the load queues the next requests into the same buffer
//! ```
//!
//! Rule: a reply that is not for the oldest request, or that does not parse, ends the measurement as a failure; the
//! load checks code and bytes of each. Reason: a fast wrong answer must never count as a fast answer.

pub(crate) mod arrivals;
mod conn;
mod engine;

pub use conn::{Conn, Pending, State};
pub use engine::{Engine, Load, Next};
