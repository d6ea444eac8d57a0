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

/// Unique over a history.
pub type Value = u64;

/// What is asked of the ensemble.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    Sync {
        path: String,
    },
    Ping,
    CloseSession,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Created {
        path: String,
    },
    /// Of exists and setData.
    Stat(Stat),
    Data {
        value: Option<Value>,
        stat: Stat,
    },
    Children {
        names: Vec<String>,
    },
    Done,
    Error(i32),
}

/// A call; without a reply its outcome is unknown.
#[derive(Debug, Clone)]
pub struct Call {
    pub session: i64,
    pub conn: u32,
    pub sent: u64,
    pub op: Op,
    pub reply: Option<Reply>,
}

#[derive(Debug, Clone)]
pub struct Reply {
    pub at: u64,
    pub zxid: i64,
    pub answer: Answer,
}

/// Something that arrived at a client.
#[derive(Debug, Clone)]
pub struct Entry {
    pub at: u64,
    pub session: i64,
    /// Counts the connections of the client.
    pub conn: u32,
    pub what: What,
}

#[derive(Debug, Clone)]
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
#[derive(Debug, Clone, Default)]
pub struct ClientHistory {
    pub calls: Vec<Call>,
    pub entries: Vec<Entry>,
}

/// Something that was done to the ensemble.
#[derive(Debug, Clone)]
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
            | Op::Sync { path } => path,
            Op::Ping | Op::CloseSession => "",
        }
    }

    /// Whether it goes through the log and takes a zxid.
    pub fn writes(&self) -> bool {
        matches!(self, Op::Create { .. } | Op::Set { .. } | Op::Delete { .. } | Op::CloseSession)
    }
}

impl History {
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.clients.iter().flat_map(|c| &c.calls)
    }

    /// Calls that were answered without an error.
    pub fn acknowledged(&self) -> usize {
        let done = |call: &&Call| call.reply.as_ref().is_some_and(|r| !matches!(r.answer, Answer::Error(_)));
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
