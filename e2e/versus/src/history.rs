//! What clients did and saw, as each of them recorded it; the checker knows nothing else.
//!
//! ```text
//!   ClientHistory   calls    what was asked, when it was sent, what was answered (nothing: the outcome is unknown)
//!                   entries  what arrived, in the order of its coming: attached, answers, events, losses
//!   times           nanoseconds on the one monotonic clock of the machine that all clients share
//! ```
//!
//! Rule: every value that is ever written is written once (`Value` is unique), so a value that is read names its write.
//! Reason: with unique values a history can be checked in one pass by zxid, without a search.

use coordd_proto::Stat;
use serde::{Deserialize, Serialize};

use crate::archive::StatForm;

/// Unique over a history.
pub type Value = u64;

/// What is asked of the ensemble.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// Flags as on the wire; a sequential name is only known from the answer.
    Create {
        path: String,
        value: Value,
        flags: i32,
    },
    Set {
        path: String,
        value: Value,
        version: i32,
    },
    Delete {
        path: String,
        version: i32,
    },
    Get {
        path: String,
        watch: bool,
    },
    Exists {
        path: String,
        watch: bool,
    },
    Children {
        path: String,
        watch: bool,
    },
    /// Only as a part of a multi.
    Check {
        path: String,
        version: i32,
    },
    /// Creates, sets, deletes and checks: all or nothing.
    Multi {
        parts: Vec<Op>,
    },
    /// A watch that stays; a recursive one is told of everything below, too.
    AddWatch {
        path: String,
        recursive: bool,
    },
    Sync {
        path: String,
    },
    Ping,
    CloseSession,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    Created {
        path: String,
    },
    /// Of exists and setData.
    Stat(#[serde(with = "StatForm")] Stat),
    Data {
        value: Option<Value>,
        #[serde(with = "StatForm")]
        stat: Stat,
    },
    Children {
        names: Vec<String>,
    },
    /// One answer a part.
    Multi(Vec<Answer>),
    /// A multi that did nothing, because this part was refused.
    Aborted {
        part: usize,
        code: i32,
    },
    Done,
    Error(i32),
}

impl Answer {
    /// Whether nothing came of what was asked.
    pub fn refused(&self) -> bool {
        matches!(self, Answer::Error(_) | Answer::Aborted { .. })
    }
}

/// A call; without a reply its outcome is unknown.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Call {
    pub session: i64,
    pub conn: u32,
    pub sent: u64,
    pub op: Op,
    pub reply: Option<Reply>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reply {
    pub at: u64,
    pub zxid: i64,
    pub answer: Answer,
}

/// Something that arrived at a client.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    pub at: u64,
    pub session: i64,
    /// Counts the connections of the client.
    pub conn: u32,
    pub what: What,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum What {
    /// The session is granted on a new connection; `asked` is when the request for it was sent.
    Attached {
        asked: u64,
        timeout_ms: i32,
    },
    /// The session is gone.
    Refused {
        asked: u64,
    },
    /// The call with this index was answered.
    Answered(usize),
    Event {
        kind: i32,
        path: String,
        zxid: i64,
    },
    /// The connection ended.
    Lost,
    /// The server broke the protocol.
    Broken(String),
}

/// One client: at most one session at a time, several after each other.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ClientHistory {
    pub calls: Vec<Call>,
    pub entries: Vec<Entry>,
}

/// Something that was done to the ensemble.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fault {
    pub at: u64,
    pub what: String,
    /// Calls that were sent and not answered at that moment.
    pub in_flight: usize,
}

#[derive(Debug, Clone, Default)]
pub struct History {
    pub clients: Vec<ClientHistory>,
    pub faults: Vec<Fault>,
}

impl Op {
    pub fn path(&self) -> &str {
        match self {
            Op::Create { path, .. }
            | Op::Set { path, .. }
            | Op::Delete { path, .. }
            | Op::Get { path, .. }
            | Op::Exists { path, .. }
            | Op::Children { path, .. }
            | Op::Check { path, .. }
            | Op::AddWatch { path, .. }
            | Op::Sync { path } => path,
            Op::Multi { .. } | Op::Ping | Op::CloseSession => "",
        }
    }

    /// Whether it goes through the log and takes a zxid.
    pub fn writes(&self) -> bool {
        use Op::*;
        matches!(self, Create { .. } | Set { .. } | Delete { .. } | Multi { .. } | CloseSession)
    }

    /// The operation itself, or the parts of a multi.
    pub fn parts(&self) -> &[Op] {
        match self {
            Op::Multi { parts } => parts,
            one => std::slice::from_ref(one),
        }
    }
}

impl Call {
    /// What was asked with what came of it, part by part; of an aborted multi only a first part that was refused.
    pub fn outcomes(&self) -> Vec<(&Op, Answer)> {
        let Some(Reply { answer, .. }) = self.reply.as_ref() else { return Vec::new() };
        match (&self.op, answer) {
            (Op::Multi { parts }, Answer::Multi(answers)) => parts.iter().zip(answers.iter().cloned()).collect(),
            (Op::Multi { parts }, Answer::Aborted { part: 0, code }) => {
                parts.first().map(|part| (part, Answer::Error(*code))).into_iter().collect()
            }
            (Op::Multi { .. }, _) => Vec::new(),
            (op, answer) => vec![(op, answer.clone())],
        }
    }
}

impl History {
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.clients.iter().flat_map(|c| &c.calls)
    }

    /// Calls that were answered without an error.
    pub fn acknowledged(&self) -> usize {
        let done = |call: &&Call| call.reply.as_ref().is_some_and(|r| !r.answer.refused());
        self.calls().filter(done).count()
    }
}

/// The znode above a path.
pub fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((above, _)) => above,
    }
}
