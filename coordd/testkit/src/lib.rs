//! Ensembles of real coordd processes for tests: start, kill, pause, restart, wait; and a raw ZooKeeper client.
//!
//! ```text
//!   Ensemble ─ members[i]: process, ports, data directory      kill −9 │ pause/resume │ terminate │ start again
//!   Client   ─ one connection, one session: requests out, replies and events in, nothing hidden
//! ```
//!
//! Rule: a wait has a limit and says what it waited for; nothing sleeps for a fixed time and hopes.

mod client;
mod ensemble;

pub use client::{Client, ConnectError, Event, Reply};
pub use ensemble::{Ensemble, Member, eventually};
