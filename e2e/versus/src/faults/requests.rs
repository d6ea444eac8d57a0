//! What a history records turned into requests on the wire.

use coordd_proto::jute::Writer;
use coordd_proto::{Acl, Perms};

use crate::client::Client;
use crate::history::Op;
use crate::wire::op;

/// Queues a request; the xid that its reply will carry.
pub(super) fn encode(client: &mut Client, call: &Op) -> i32 {
    client.send(code(call), |w| match call {
        Op::Multi { parts } => {
            for part in parts {
                header(w, code(part), false);
                record(w, part);
            }
            header(w, op::ERROR, true);
        }
        other => record(w, other),
    })
}

fn header(w: &mut Writer<'_>, op: i32, done: bool) {
    w.i32(op);
    w.bool(done);
    w.i32(-1);
}

fn code(call: &Op) -> i32 {
    match call {
        Op::Create { .. } => op::CREATE,
        Op::Set { .. } => op::SET_DATA,
        Op::Delete { .. } => op::DELETE,
        Op::Get { .. } => op::GET_DATA,
        Op::Exists { .. } => op::EXISTS,
        Op::Children { .. } => op::GET_CHILDREN,
        Op::Check { .. } => op::CHECK,
        Op::Multi { .. } => op::MULTI,
        Op::AddWatch { .. } => op::ADD_WATCH,
        Op::Sync { .. } => op::SYNC,
        Op::Ping => op::PING,
        Op::CloseSession => op::CLOSE_SESSION,
    }
}

fn record(w: &mut Writer<'_>, call: &Op) {
    w_path(w, call.path());
    match call {
        Op::Create { value, flags, .. } => {
            w.buffer(Some(&value.to_be_bytes()));
            Acl::encode_list(&[Acl::world(Perms::ALL)], w);
            w.i32(*flags);
        }
        Op::Set { value, version, .. } => {
            w.buffer(Some(&value.to_be_bytes()));
            w.i32(*version);
        }
        Op::Delete { version, .. } | Op::Check { version, .. } => w.i32(*version),
        Op::Get { watch, .. } | Op::Exists { watch, .. } | Op::Children { watch, .. } => w.bool(*watch),
        Op::AddWatch { recursive, .. } => w.i32(i32::from(*recursive)),
        Op::Sync { .. } | Op::Multi { .. } | Op::Ping | Op::CloseSession => {}
    }
}

/// Every record but the empty ones begins with its path.
fn w_path(w: &mut Writer<'_>, path: &str) {
    if !path.is_empty() {
        w.string(path);
    }
}
