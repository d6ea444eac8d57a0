//! What is registered in znodes: read under one guard of the state, decoded after it, as one who asks may see it.
//!
//! ```text
//!   (path, who asks) ─► read guard: znodes copied, newest change noted ─► guard gone ─► formats ─► coordd_api types
//! ```
//!
//! Rule: a reading takes one guard, copies no more than its limits and decodes nothing under it; READ on a znode is
//! needed for its data, its Stat and the names of its children, as on the client port. `Newest` sees every znode that
//! the answer rests on, those too that may not be read. Reason: apply waits for the guard, and the zxid of an answer
//! must be the same on every member that has applied it.

pub(crate) mod config;
pub(crate) mod formats;
pub(crate) mod leader;
mod newest;
pub(crate) mod properties;
pub(crate) mod services;
#[cfg(test)]
mod tests;
pub(crate) mod znodes;

use coordd_proto::AuthId;
use coordd_tree::{State, ZnodeRef};

pub(crate) use newest::Newest;

/// Children of one znode, or znodes of one subtree, that an answer may be made from.
pub(crate) const ZNODES_MAX: usize = 10_000;
/// Bytes of data that are copied for one answer.
pub(crate) const BYTES_MAX: usize = 4 << 20;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("there is no znode {0}")]
    NoZnode(String),
    #[error("{0} may not be read by whoever asks")]
    Unreadable(String),
    #[error("{path} has more than {ZNODES_MAX} znodes")]
    TooMany { path: String },
    #[error("what stands at {path} is more than {BYTES_MAX} bytes")]
    TooLarge { path: String },
    #[error("{first} and {second} are both {key}")]
    SameKey { first: String, second: String, key: String },
}

/// The znode at `path`, if `auth` may read it.
fn find<'a>(state: &'a State, path: &str, auth: &[AuthId]) -> Result<ZnodeRef<'a>, Failure> {
    let znode = state.znode(path).ok_or_else(|| Failure::NoZnode(path.to_owned()))?;
    if znode.readable(auth) { Ok(znode) } else { Err(Failure::Unreadable(path.to_owned())) }
}

/// `path` of a child.
fn join(path: &str, name: &str) -> String {
    if path == "/" { format!("/{name}") } else { format!("{path}/{name}") }
}

/// What is left of `BYTES_MAX`.
struct Room(usize);

impl Room {
    fn new() -> Room {
        Room(BYTES_MAX)
    }

    fn take(&mut self, bytes: usize, path: &str) -> Result<(), Failure> {
        self.0 = self.0.checked_sub(bytes).ok_or_else(|| Failure::TooLarge { path: path.to_owned() })?;
        Ok(())
    }
}
