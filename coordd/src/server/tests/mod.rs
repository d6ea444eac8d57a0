//! The client port over real sockets, above a consensus that commits at once or on command.

mod cost;
mod handshake;
mod hostile;
mod limits;
mod order;
mod outlet;
mod slow;
pub(crate) mod support;
mod turns;
mod watching;
mod words;
