//! Promises about watches: each change that a watch waits for is told once, in time, and nothing else is.
//!
//! Rule: a one-shot watch waits for the first change after the zxid of the reply that set it; the event carries that
//! change's zxid and comes before any reply of a zxid at or past it.

use std::collections::HashMap;

use super::lasting::{Lasting, Scopes};
use super::timeline::{Change, Kind, Timeline};
use super::{Findings, Promise};
use crate::history::{Answer, Call, ClientHistory, History, Op, Reply, What, parent};
use crate::wire::Event;

/// Which of the server's two tables a watch is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Table {
    Data,
    Child,
}

/// Which change a watch waits for.
struct Changes<'a> {
    own: &'a Timeline,
    children: HashMap<&'a str, Vec<Change>>,
}

pub fn check(history: &History, timeline: &Timeline, findings: &mut Findings) {
    let mut children: HashMap<&str, Vec<Change>> = HashMap::new();
    for (path, changes) in timeline {
        let of_parent = changes.iter().filter(|c| c.kind != Kind::Set);
        children.entry(parent(path)).or_default().extend(of_parent);
    }
    children.values_mut().for_each(|list| list.sort_by_key(|c| c.zxid));
    let changes = Changes { own: timeline, children };
    let mut scopes = Scopes::new(history, timeline);
    for (number, client) in history.clients.iter().enumerate() {
        follow(number, client, &changes, &mut scopes, findings);
    }
}

/// A watch of one connection, and the change that it waits for.
type Armed<'a> = HashMap<(u32, Table, &'a str), i64>;

fn follow<'a>(
    number: usize,
    client: &'a ClientHistory,
    changes: &Changes<'_>,
    scopes: &mut Scopes<'a>,
    findings: &mut Findings,
) {
    let mut armed: Armed<'_> = HashMap::new();
    let mut lasting = Lasting::new(number);
    for entry in &client.entries {
        match &entry.what {
            What::Event { kind, path, zxid } => {
                let stays = lasting.told(entry.conn, (*zxid, *kind, path), scopes, findings);
                let unseen = *kind == Event::CHILDREN_CHANGED && scopes.unseen_children(path, *zxid) > 0;
                match told(&mut armed, changes, entry.conn, (*zxid, *kind, path), unseen) {
                    // What no one-shot watch waited for, one that stays may have.
                    Err((Promise::EventOnce, _)) if stays => {}
                    Err((promise, text)) => findings.add(promise, format!("client {number}: {text}")),
                    Ok(()) => {}
                }
            }
            What::Answered(index) => {
                let call = &client.calls[*index];
                let Some(reply) = call.reply.as_ref() else { continue };
                overdue(number, &mut armed, changes, entry.conn, reply.zxid, findings);
                lasting.answered(entry.conn, reply.zxid, scopes, findings);
                if let (Op::AddWatch { path, recursive }, Answer::Done) = (&call.op, &reply.answer) {
                    lasting.add(entry.conn, path, *recursive, reply.zxid);
                }
                if let Some(table) = arms(call, reply) {
                    armed.entry((entry.conn, table, call.op.path())).or_insert(reply.zxid);
                }
            }
            What::Lost | What::Refused { .. } => {
                armed.retain(|(conn, ..), _| *conn != entry.conn);
                lasting.lost(entry.conn);
            }
            _ => {}
        }
    }
}

/// The table that an answered read with a watch is put into.
fn arms(call: &Call, reply: &Reply) -> Option<Table> {
    match (&call.op, &reply.answer) {
        (Op::Get { watch: true, .. }, Answer::Data { .. })
        | (Op::Exists { watch: true, .. }, Answer::Stat(_) | Answer::Error(-101)) => Some(Table::Data),
        (Op::Children { watch: true, .. }, Answer::Children { .. }) => Some(Table::Child),
        _ => None,
    }
}

/// Takes an event; why it should not have come. `unseen`: a child may have come or gone that nobody was told of.
fn told(
    armed: &mut Armed<'_>,
    changes: &Changes<'_>,
    conn: u32,
    (zxid, kind, path): (i64, i32, &str),
    unseen: bool,
) -> Result<(), (Promise, String)> {
    let tables: &[Table] = match kind {
        Event::CHILDREN_CHANGED => &[Table::Child],
        Event::DELETED => &[Table::Data, Table::Child],
        _ => &[Table::Data],
    };
    let waiting: Vec<_> = tables
        .iter()
        .filter_map(|table| armed.iter().find(|((c, t, p), _)| *c == conn && t == table && *p == path))
        .map(|(key, set_at)| (*key, *set_at))
        .collect();
    if waiting.is_empty() {
        return Err((Promise::EventOnce, format!("event {kind} of {path} at {zxid:#x} without a watch")));
    }
    for (key, set_at) in waiting {
        // Told late, because a snapshot took the place of the changes: which one it was is not known.
        if zxid < 0 {
            armed.remove(&key);
            continue;
        }
        let Some(next) = changes.next(key.1, path, set_at) else {
            armed.remove(&key);
            return Err((Promise::EventOnce, format!("event {kind} of {path} at {zxid:#x}: nothing changed")));
        };
        if kind == Event::DELETED && next.zxid != zxid && next.exact && key.1 == Table::Child {
            continue;
        }
        armed.remove(&key);
        if next.exact && next.zxid < zxid {
            let text = format!("{path} changed at {:#x}, the event names {zxid:#x}", next.zxid);
            return Err((Promise::EventTold, text));
        }
        if next.exact && next.zxid > zxid && !unseen {
            return Err((Promise::EventOnce, format!("event {kind} of {path} at {zxid:#x}: nothing changed then")));
        }
        if next.exact && expected(key.1, path, changes, next) != kind {
            return Err((Promise::EventTold, format!("event {kind} of {path} at {zxid:#x} is of the wrong kind")));
        }
    }
    Ok(())
}

fn expected(table: Table, path: &str, changes: &Changes<'_>, change: Change) -> i32 {
    match (table, change.kind) {
        (Table::Child, _) if changes.own_deletion(path, change.zxid) => Event::DELETED,
        (Table::Child, _) => Event::CHILDREN_CHANGED,
        (Table::Data, Kind::Created) => Event::CREATED,
        (Table::Data, Kind::Set) => Event::DATA_CHANGED,
        (Table::Data, Kind::Deleted) => Event::DELETED,
    }
}

/// A reply of this zxid came on the connection: what changed up to there must have been told.
fn overdue(number: usize, armed: &mut Armed<'_>, changes: &Changes<'_>, conn: u32, zxid: i64, findings: &mut Findings) {
    let late: Vec<_> = armed
        .iter()
        .filter(|((c, ..), _)| *c == conn)
        .filter_map(|(key, set_at)| Some((*key, changes.next(key.1, key.2, *set_at)?)))
        .filter(|(_, change)| change.exact && change.zxid <= zxid)
        .collect();
    for (key, change) in late {
        armed.remove(&key);
        let text = format!(
            "client {number}: {} changed at {:#x} and {zxid:#x} was answered, but its {:?} watch was not told",
            key.2, change.zxid, key.1
        );
        findings.add(Promise::EventInTime, text);
    }
}

impl Changes<'_> {
    /// The first change after `zxid` that a watch in this table waits for.
    fn next(&self, table: Table, path: &str, zxid: i64) -> Option<Change> {
        let first = |list: &[Change]| {
            let at = list.partition_point(|c| c.zxid <= zxid);
            list.get(at).copied()
        };
        let own = self.own.get(path).map_or(&[][..], Vec::as_slice);
        match table {
            Table::Data => first(own),
            Table::Child => {
                let child = self.children.get(path).and_then(|list| first(list));
                let gone = own.iter().find(|c| c.zxid > zxid && c.kind == Kind::Deleted).copied();
                [child, gone].into_iter().flatten().min_by_key(|c| c.zxid)
            }
        }
    }

    fn own_deletion(&self, path: &str, zxid: i64) -> bool {
        self.own.get(path).is_some_and(|list| list.iter().any(|c| c.zxid == zxid && c.kind == Kind::Deleted))
    }
}
