//! Requests as values: what the comparison and the histories need to print, replay and shrink.

use coordd_proto::Acl;
use coordd_proto::jute::Writer;

use crate::wire::op;

/// One request of a client, well-formed or deliberately not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// create, create2 or createContainer, by `op`.
    Create {
        op: i32,
        path: String,
        data: Option<Vec<u8>>,
        acl: Vec<Acl>,
        flags: i32,
    },
    CreateTtl {
        path: String,
        data: Option<Vec<u8>>,
        acl: Vec<Acl>,
        flags: i32,
        ttl: i64,
    },
    Delete {
        path: String,
        version: i32,
    },
    Check {
        path: String,
        version: i32,
    },
    SetData {
        path: String,
        data: Option<Vec<u8>>,
        version: i32,
    },
    SetAcl {
        path: String,
        acl: Vec<Acl>,
        version: i32,
    },
    /// exists, getData, getChildren or getChildren2, by `op`.
    Read {
        op: i32,
        path: String,
        watch: bool,
    },
    /// A request whose record is one path: getACL, sync, getEphemerals, getAllChildrenNumber.
    Path {
        op: i32,
        path: String,
    },
    /// A request whose record is a path and a number: addWatch, checkWatches, removeWatches.
    Watch {
        op: i32,
        path: String,
        kind: i32,
    },
    /// multi or multiRead, by `op`.
    Multi {
        op: i32,
        parts: Vec<Request>,
    },
    Auth {
        scheme: String,
        data: Vec<u8>,
    },
    Reconfig {
        joining: Option<String>,
        leaving: Option<String>,
    },
    /// setWatches (three lists) or setWatches2 (five).
    SetWatches {
        relative: Relative,
        lists: Vec<Vec<String>>,
    },
    /// ping, whoAmI, closeSession: no record.
    Bare {
        op: i32,
    },
    /// Any number with any bytes behind it.
    Raw {
        op: i32,
        record: Vec<u8>,
    },
}

/// The zxid that a re-armed watch claims to have seen; resolved where the zxids of the server are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relative {
    Zero,
    Last,
    /// That of a write this many writes ago.
    Ago(usize),
}

impl Request {
    pub fn op(&self) -> i32 {
        match self {
            Request::Create { op, .. }
            | Request::Read { op, .. }
            | Request::Path { op, .. }
            | Request::Watch { op, .. }
            | Request::Multi { op, .. }
            | Request::Bare { op }
            | Request::Raw { op, .. } => *op,
            Request::CreateTtl { .. } => op::CREATE_TTL,
            Request::Delete { .. } => op::DELETE,
            Request::Check { .. } => op::CHECK,
            Request::SetData { .. } => op::SET_DATA,
            Request::SetAcl { .. } => op::SET_ACL,
            Request::Auth { .. } => op::AUTH,
            Request::Reconfig { .. } => op::RECONFIG,
            Request::SetWatches { lists, .. } if lists.len() > 3 => op::SET_WATCHES2,
            Request::SetWatches { .. } => op::SET_WATCHES,
        }
    }

    /// Appends the record. `relative` resolves the zxid of re-armed watches.
    pub fn encode(&self, w: &mut Writer<'_>, relative: &dyn Fn(Relative) -> i64) {
        match self {
            Request::Create { path, data, acl, flags, .. } => {
                create(w, path, data.as_deref(), acl, *flags);
            }
            Request::CreateTtl { path, data, acl, flags, ttl } => {
                create(w, path, data.as_deref(), acl, *flags);
                w.i64(*ttl);
            }
            Request::Delete { path, version } | Request::Check { path, version } => {
                w.string(path);
                w.i32(*version);
            }
            Request::SetData { path, data, version } => {
                w.string(path);
                w.buffer(data.as_deref());
                w.i32(*version);
            }
            Request::SetAcl { path, acl, version } => {
                w.string(path);
                Acl::encode_list(acl, w);
                w.i32(*version);
            }
            Request::Read { path, watch, .. } => {
                w.string(path);
                w.bool(*watch);
            }
            Request::Path { path, .. } => w.string(path),
            Request::Watch { path, kind, .. } => {
                w.string(path);
                w.i32(*kind);
            }
            Request::Multi { parts, .. } => multi(w, parts),
            Request::Auth { scheme, data } => {
                w.i32(0);
                w.string(scheme);
                w.buffer(Some(data));
            }
            Request::Reconfig { joining, leaving } => {
                w.buffer(joining.as_deref().map(str::as_bytes));
                w.buffer(leaving.as_deref().map(str::as_bytes));
                w.buffer(None);
                w.i64(-1);
            }
            Request::SetWatches { relative: from, lists } => {
                w.i64(relative(*from));
                for list in lists {
                    w.count(list.len());
                    list.iter().for_each(|path| w.string(path));
                }
            }
            Request::Bare { .. } => {}
            Request::Raw { record, .. } => w.raw(record),
        }
    }
}

fn create(w: &mut Writer<'_>, path: &str, data: Option<&[u8]>, acl: &[Acl], flags: i32) {
    w.string(path);
    w.buffer(data);
    Acl::encode_list(acl, w);
    w.i32(flags);
}

fn multi(w: &mut Writer<'_>, parts: &[Request]) {
    let header = |w: &mut Writer<'_>, op: i32, done: bool| {
        w.i32(op);
        w.bool(done);
        w.i32(-1);
    };
    for part in parts {
        header(w, part.op(), false);
        match part {
            // A read inside of a multiRead carries a watch flag as outside of it.
            Request::Read { path, watch, .. } => {
                w.string(path);
                w.bool(*watch);
            }
            other => other.encode(w, &|_| 0),
        }
    }
    header(w, -1, true);
}
