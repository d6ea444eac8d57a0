//! What is registered in znodes: read under one guard of the state, decoded after it, as one who asks may see it.
//!
//! ```text
//!   Question, path, who asks ─► read guard: znodes copied, newest change noted ─► guard gone ─► formats ─► JSON, bytes
//! ```
//!
//! Rule: a reading takes one guard, copies no more than its limits and decodes no registration under it (names are
//! decoded and sorted there, and text is known as such); READ on a znode is needed for its data, its Stat and the names
//! of its children, as on the client port. `Newest` sees every znode that the answer rests on, those too that may not
//! be read. Reason: apply waits for the guard, and the zxid of an answer must be the same on every member that has
//! applied it.

pub(crate) mod config;
pub(crate) mod formats;
#[cfg(test)]
mod judge;
pub(crate) mod leader;
mod newest;
pub(crate) mod properties;
pub(crate) mod question;
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

/// Bytes of an answer, encoded.
pub(crate) const ANSWER_MAX: usize = 16 << 20;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// `newest` is that of the nearest ancestor that the caller may read: less than the zxid at which the znode will be
    /// there. Where a nearer one may not be read (`hidden`) it says nothing of when the znode went.
    #[error("there is no znode {path}")]
    NoZnode { path: String, newest: i64, hidden: bool },
    #[error("{path} may not be read by whoever asks")]
    Unreadable { path: String, newest: i64 },
    #[error("{path} has more than {ZNODES_MAX} znodes")]
    TooMany { path: String },
    #[error("what stands at {path} is more than {limit} bytes")]
    TooLarge { path: String, limit: usize },
    #[error("the answer about {path} is more than {ANSWER_MAX} bytes")]
    AnswerTooLarge { path: String },
    #[error("{first} and {second} are both {key}")]
    SameKey { first: String, second: String, key: String },
}

/// A look at the state: by whom, and how many bytes may be copied.
#[derive(Clone, Copy)]
pub(crate) struct Look<'a> {
    pub state: &'a State,
    pub auth: &'a [AuthId],
    pub bytes_max: usize,
}

impl<'a> Look<'a> {
    /// The znode at `path`, if it may be read.
    fn find(&self, path: &str) -> Result<ZnodeRef<'a>, Failure> {
        match self.state.znode(path) {
            Some(znode) if znode.readable(self.auth) => Ok(znode),
            Some(znode) => Err(unreadable(path.to_owned(), znode)),
            None => Err(self.absent(path)),
        }
    }

    fn absent(&self, path: &str) -> Failure {
        let mut newest = Newest::none();
        let (mut at, mut hidden) = (path, false);
        while let Some(above) = parent(at) {
            at = above;
            match self.state.znode(at) {
                Some(znode) if znode.readable(self.auth) => {
                    newest.children(znode);
                    break;
                }
                Some(_) => hidden = true,
                None => {}
            }
        }
        Failure::NoZnode { path: path.to_owned(), newest: newest.zxid(), hidden }
    }

    fn room(&self) -> Room {
        Room { left: self.bytes_max, limit: self.bytes_max }
    }
}

fn unreadable(path: String, znode: ZnodeRef<'_>) -> Failure {
    let mut newest = Newest::none();
    newest.access(znode);
    Failure::Unreadable { path, newest: newest.zxid() }
}

/// `path` of a child.
fn join(path: &str, name: &str) -> String {
    if path == "/" { format!("/{name}") } else { format!("{path}/{name}") }
}

fn parent(path: &str) -> Option<&str> {
    match path.rfind('/')? {
        0 if path.len() > 1 => Some("/"),
        0 => None,
        slash => Some(&path[..slash]),
    }
}

/// How much more may be copied.
struct Room {
    left: usize,
    limit: usize,
}

impl Room {
    fn take(&mut self, bytes: usize, path: &str) -> Result<(), Failure> {
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or_else(|| Failure::TooLarge { path: path.to_owned(), limit: self.limit })?;
        Ok(())
    }
}
