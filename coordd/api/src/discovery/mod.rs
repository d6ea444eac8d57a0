//! What applications register in znodes, in one shape whatever wrote it: the answers of the discovery API.
//!
//! ```text
//!   8080  GET /v1/services/PATH   ServiceView    ?list  ServiceList      the instances registered below a znode
//!         GET /v1/config/PATH     its bytes      ?recurse  ConfigTree    configuration, of one znode or of a subtree
//!         GET /v1/leader/PATH     LeaderView                             who leads an election, and who is next
//!         GET /v1/znodes/PATH     ZnodeView      ?children  ChildList    any znode
//!         every error             Problem        (RFC 9457)
//! ```
//!
//! Rule: `zxid` in an answer is that of the newest change which made it what it is, equal on every member, and stands
//! in its ETag too; the header `Coordd-Zxid` is the zxid of the state it was read from, which may be younger. A zxid is
//! a decimal number below 2^53. Reason: of two answers one can say which is newer, whichever members gave them.

mod config;
mod leader;
mod problem;
mod service;
mod znode;

pub use config::{ConfigTree, ConfigValue, LeftOut};
pub use leader::{Candidate, LeaderView, Recipe};
pub use problem::Problem;
pub use service::{Format, Instance, InstanceState, Rejected, ServiceEntry, ServiceList, ServiceView};
pub use znode::{ChildList, Encoding, ZnodeStat, ZnodeView};
