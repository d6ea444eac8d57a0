//! The HTTP APIs of a coordd member as Rust types, with a client: all that an operator or a person needs to run an
//! ensemble.
//!
//! ```text
//!   9080  GET  /admin/v1/status              AdminStatus      8080  GET /v1/ensemble   EnsembleView
//!         POST /admin/v1/bootstrap           Bootstrap ─► Bootstrapped
//!         POST /admin/v1/members             AddMember ─► Added
//!         POST /admin/v1/members/ID/promote  Promote   ─► Changed
//!         POST /admin/v1/members/ID/replace  Replace   ─► Replaced
//!         DEL  /admin/v1/members/ID?membership_index=N ─► Changed
//!         POST /admin/v1/transfer-leader     TransferLeader ─► Transferred
//!         GET  /admin/v1/snapshot            all that was acknowledged, as a checked file
//!         GET  /admin/v1/snapshot?without_quorum=true  what this member has of it
//!         POST /admin/v1/recover             Recover   ─► Recovered
//!         POST /admin/v1/drain               Drain     ─► Drained
//! ```
//!
//! Rule: each change names the membership index that it was planned on and is refused with the present one when that
//! has moved (`Refusal` with code `moved`); asking again for what is done is a success. Reason: whoever asks may lose
//! the answer, and two who ask must not undo each other's work. Changes are made by the leader; other members name
//! it. What applications ask (`discovery`) has a client of its own, `Discovery`, for all members at once.

pub mod change;
pub mod client;
pub mod discovery;
mod discovery_client;
pub mod ensemble;
mod exchange;
pub mod refusal;
pub mod status;

pub use change::{
    AddMember, Added, Backup, Bootstrap, Bootstrapped, Changed, Drain, Drained, Planned, Promote, Recover, Recovered,
    Replace, Replaced, Seat, TransferLeader, Transferred,
};
pub use client::{Client, ClientError, Snapshot};
pub use discovery_client::{Answer, Discovery, DiscoveryError, Event, Follower, JsonPaths, Line, Question};
pub use ensemble::{Addresses, EnsembleView, MemberRole, MemberView};
pub use refusal::{Refusal, RefusalCode};
pub use status::AdminStatus;
