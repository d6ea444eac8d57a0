//! What the clients saw, in the order in which they saw it: the evidence that the invariants judge.
//!
//! ```text
//!   Record{client, session, link, request, answer}       answer: Done{zxid, …} │ Refused │ Unknown
//! ```
//!
//! Rule: a write has a value that no other write has. Reason: whoever reads it names the write that it comes from, also
//! a write whose outcome its client never learnt.

use std::cell::RefCell;
use std::rc::Rc;

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Create {
        path: String,
        value: String,
    },
    Set {
        path: String,
        value: String,
    },
    /// With a watch or without one.
    Get {
        path: String,
        watch: bool,
    },
}

impl Request {
    pub(crate) fn path(&self) -> &str {
        match self {
            Request::Create { path, .. } | Request::Set { path, .. } | Request::Get { path, .. } => path,
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
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub client: String,
    pub session: i64,
    /// Counts the connections of a client: a watch lives as long as one.
    pub link: u64,
    pub happened: Happened,
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
}
