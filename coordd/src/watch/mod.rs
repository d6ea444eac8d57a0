//! Who watches which znode on this member, and what each is told.
//!
//! ```text
//!   apply ── Change ──► Table::fire ──► one event, encoded once ──► each watcher   (write guard)
//!   a read with watch ─► Table::add                                                     (read guard)
//! ```
//!
//! Rule: the table is touched for a znode only under a guard of the state. Reason: between the value that a read
//! returns and the watch that it leaves no change can slip, and no event for what the value already shows can fire. The
//! table belongs to this member and is not replicated: a client that reconnects sends `setWatches`, see `catch_up`.

pub mod catch_up;
pub mod followed;
pub mod modes;
pub mod table;

pub use followed::Followed;
pub use modes::Modes;
pub use table::{Side, Table, Told, WatcherId};
