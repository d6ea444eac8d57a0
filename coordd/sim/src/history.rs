//! What the clients saw, in the order in which they saw it: the evidence that the invariants judge.
//!
//! ```text
//!   Record{client, session, link, asked, told, happened}      answer: Written{zxid} │ Read{…} │ Refused │ Unknown
//! ```
//!
//! Rule: a write has a value that no other write has. Reason: whoever reads it names the write that it comes from, also
//! a write whose outcome its client never learnt.

use std::cell::RefCell;
use std::rc::Rc;

const SESSION_EXPIRED: i32 = -112;
const SESSION_MOVED: i32 = -118;

/// One znode, written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    Create {
        path: String,
        value: String,
    },
    /// Ends with its session.
    Ephemeral {
        path: String,
        value: String,
    },
    Set {
        path: String,
        value: String,
    },
}

impl Write {
    pub(crate) fn path(&self) -> &str {
        let (Write::Create { path, .. } | Write::Ephemeral { path, .. } | Write::Set { path, .. }) = self;
        path
    }

    pub(crate) fn value(&self) -> &str {
        let (Write::Create { value, .. } | Write::Ephemeral { value, .. } | Write::Set { value, .. }) = self;
        value
    }
}

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Write(Write),
    /// All of them or none; a doomed one also checks a path that never is there.
    Multi {
        writes: Vec<Write>,
        doomed: bool,
    },
    /// With a watch or without one.
    Get {
        path: String,
        watch: bool,
    },
}

impl Request {
    pub(crate) fn writes(&self) -> &[Write] {
        match self {
            Request::Write(write) => std::slice::from_ref(write),
            Request::Multi { writes, .. } => writes,
            Request::Get { .. } => &[],
        }
    }
}

/// What a znode was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub value: String,
    pub czxid: i64,
    pub mzxid: i64,
    pub version: i32,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Written {
        zxid: i64,
    },
    Read {
        zxid: i64,
        seen: Seen,
    },
    Refused {
        zxid: i64,
        error: i32,
    },
    /// The connection was lost first.
    Unknown,
}

impl Answer {
    pub(crate) fn zxid(&self) -> Option<i64> {
        match self {
            Answer::Written { zxid } | Answer::Read { zxid, .. } | Answer::Refused { zxid, .. } => Some(*zxid),
            Answer::Unknown => None,
        }
    }
}

/// One thing that a client saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    Answered {
        request: Request,
        answer: Answer,
    },
    /// A watch event for a change of this path.
    Event {
        path: String,
    },
    /// The client asked for the end of its session.
    Closed,
    /// The client heard that its session has expired.
    Expired,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub client: String,
    pub session: i64,
    /// Counts the connections of a client: a watch lives as long as one.
    pub link: u64,
    /// Simulated milliseconds when it was asked, and when the client heard.
    pub asked_ms: u64,
    pub heard_ms: u64,
    pub happened: Happened,
}

impl Record {
    /// What was asked, the answer and its zxid, if the session was there to be answered.
    pub(crate) fn answered(&self) -> Option<(&Request, &Answer, i64)> {
        match &self.happened {
            Happened::Answered { answer: Answer::Refused { error: SESSION_EXPIRED | SESSION_MOVED, .. }, .. } => None,
            Happened::Answered { request, answer } => Some((request, answer, answer.zxid()?)),
            Happened::Event { .. } | Happened::Closed | Happened::Expired => None,
        }
    }
}

/// Cheap to clone; all clones are one history.
#[derive(Clone, Default)]
pub(crate) struct History(Rc<RefCell<Vec<Record>>>);

impl History {
    pub(crate) fn push(&self, record: Record) {
        self.0.borrow_mut().push(record);
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        self.0.borrow().clone()
    }

    pub(crate) fn acknowledged(&self) -> usize {
        let written =
            |record: &&Record| matches!(record.happened, Happened::Answered { answer: Answer::Written { .. }, .. });
        self.0.borrow().iter().filter(written).count()
    }

    /// How many sessions their clients heard to have expired.
    pub(crate) fn expired(&self) -> usize {
        self.0.borrow().iter().filter(|record| record.happened == Happened::Expired).count()
    }
}
