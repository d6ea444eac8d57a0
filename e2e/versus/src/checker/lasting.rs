//! Promises about watches that stay: they are told of every change in their scope, once, in order and in time.
//!
//! ```text
//!   persistent   own changes of the path, and NodeChildrenChanged for each child that comes or goes
//!   recursive    own changes of the path and of everything below it
//! ```
//!
//! Rule: one event a change and connection, however many of its watches the change concerns. What a connection was
//! answered at zxid z, it has been told up to z.

use std::collections::HashMap;
use std::rc::Rc;

use super::timeline::{Kind, Timeline};
use super::{Findings, Promise};
use crate::history::{History, Op, parent};
use crate::wire::Event;

/// What an event says.
type News<'a> = (i64, i32, &'a str);

/// The events that a watch of each scope is due, by zxid.
pub(super) struct Scopes<'a> {
    timeline: &'a Timeline,
    due: HashMap<(String, bool), Rc<Vec<News<'a>>>>,
    /// After which zxids children came or went at a moment that nobody was told: by the path of their parent.
    unseen: HashMap<String, Vec<i64>>,
}

impl<'a> Scopes<'a> {
    pub(super) fn new(history: &History, timeline: &'a Timeline) -> Self {
        let mut unseen: HashMap<String, Vec<i64>> = HashMap::new();
        for (path, changes) in timeline {
            let comings = changes.iter().filter(|c| !c.exact && c.kind != Kind::Set);
            unseen.entry(parent(path).to_owned()).or_default().extend(comings.map(|c| c.zxid));
        }
        // One that was made without an answer may have gone again without a trace.
        for op in history.calls().filter(|c| c.reply.is_none()).flat_map(|c| c.op.parts()) {
            if let Op::Create { path, .. } = op {
                unseen.entry(parent(path).to_owned()).or_default().extend([0, 0]);
            }
        }
        Scopes { timeline, due: HashMap::new(), unseen }
    }

    /// How many changes of its children may have been at `zxid` without anybody else having been told.
    pub(super) fn unseen_children(&self, path: &str, zxid: i64) -> usize {
        self.unseen.get(path).map_or(0, |list| list.iter().filter(|after| **after <= zxid).count())
    }

    fn due(&mut self, path: &str, recursive: bool) -> Rc<Vec<News<'a>>> {
        let timeline = self.timeline;
        let list = || {
            let mut list: Vec<News<'a>> = Vec::new();
            for (changed, changes) in timeline {
                let own = changed == path || (recursive && is_below(changed, path));
                let child = !recursive && parent(changed) == path && changed != "/";
                for change in changes.iter().filter(|c| c.exact) {
                    if own {
                        list.push((change.zxid, event_of(change.kind), changed));
                    } else if child && change.kind != Kind::Set {
                        list.push((change.zxid, Event::CHILDREN_CHANGED, parent(changed)));
                    }
                }
            }
            list.sort_unstable();
            Rc::new(list)
        };
        self.due.entry((path.to_owned(), recursive)).or_insert_with(list).clone()
    }
}

fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

fn event_of(kind: Kind) -> i32 {
    match kind {
        Kind::Created => Event::CREATED,
        Kind::Set => Event::DATA_CHANGED,
        Kind::Deleted => Event::DELETED,
    }
}

/// One watch that stays; up to `upto` it is known to have been told of everything.
struct Watch<'a> {
    conn: u32,
    path: &'a str,
    recursive: bool,
    upto: i64,
}

/// Those of one client, and what it was told.
pub(super) struct Lasting<'a> {
    client: usize,
    watches: Vec<Watch<'a>>,
    told: HashMap<(u32, i64, i32, &'a str), usize>,
    /// The newest zxid that each connection was answered at.
    answered: HashMap<u32, i64>,
}

impl<'a> Lasting<'a> {
    pub(super) fn new(client: usize) -> Self {
        Lasting { client, watches: Vec::new(), told: HashMap::new(), answered: HashMap::new() }
    }

    pub(super) fn add(&mut self, conn: u32, path: &'a str, recursive: bool, upto: i64) {
        if !self.watches.iter().any(|w| (w.conn, w.path, w.recursive) == (conn, path, recursive)) {
            self.watches.push(Watch { conn, path, recursive, upto });
        }
    }

    /// Takes an event; whether a watch that stays explains it.
    pub(super) fn told(
        &mut self,
        conn: u32,
        (zxid, kind, path): News<'a>,
        scopes: &mut Scopes<'_>,
        findings: &mut Findings,
    ) -> bool {
        let concerned = |w: &&Watch<'_>| {
            w.conn == conn
                && (w.path == path || (w.recursive && is_below(path, w.path) && kind != Event::CHILDREN_CHANGED))
        };
        let Some(watch) = self.watches.iter().find(concerned) else { return false };
        let due = scopes.due(watch.path, watch.recursive);
        let first = due.partition_point(|news| *news < (zxid, kind, path));
        let times = due[first..].iter().take_while(|news| **news == (zxid, kind, path)).count();
        let seen = self.told.entry((conn, zxid, kind, path)).or_default();
        *seen += 1;
        if self.answered.get(&conn).is_some_and(|answered| *answered >= zxid) && zxid > 0 {
            let text = format!("client {}: event {kind} of {path} at {zxid:#x} came after a reply at it", self.client);
            findings.add(Promise::EventInTime, text);
        }
        let unseen = if kind == Event::CHILDREN_CHANGED { scopes.unseen_children(path, zxid) } else { 0 };
        *seen <= times + unseen
    }

    /// A reply came: everything up to its zxid must have been told.
    pub(super) fn answered(&mut self, conn: u32, zxid: i64, scopes: &mut Scopes<'_>, findings: &mut Findings) {
        let newest = self.answered.entry(conn).or_default();
        *newest = zxid.max(*newest);
        for watch in self.watches.iter_mut().filter(|w| w.conn == conn && w.upto < zxid) {
            let due = scopes.due(watch.path, watch.recursive);
            let first = due.partition_point(|(at, ..)| *at <= watch.upto);
            for (at, kind, path) in due[first..].iter().take_while(|(at, ..)| *at <= zxid) {
                if !self.told.contains_key(&(conn, *at, *kind, *path)) {
                    let text = format!(
                        "client {}: event {kind} of {path} at {at:#x} was not told to the watch of {} by the \
                         reply at {zxid:#x}",
                        self.client, watch.path
                    );
                    findings.add(Promise::EventInTime, text);
                }
            }
            watch.upto = zxid;
        }
    }

    pub(super) fn lost(&mut self, conn: u32) {
        self.watches.retain(|w| w.conn != conn);
        self.told.retain(|(on, ..), _| *on != conn);
    }
}
