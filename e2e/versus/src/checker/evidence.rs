//! What watch events say about changes that nobody was told of as their author.
//!
//! ```text
//!   event{zxid, kind, path} ─► a change of that kind at that zxid is known already
//!                           └► one of uncertain place is put there, or one is added that a write of unknown outcome or
//!                              an ended session may have made; else: an event of a change that never was
//! ```
//!
//! Rule: an event is believed only if something may have caused it. Reason: with it, whoever else watched must have
//! been told, too.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::timeline::{Change, Kind, Timeline};
use super::{Findings, Promise};
use crate::history::{History, Op, What};
use crate::wire::Event;

type Told = BTreeSet<(i64, u8)>;

/// What was told of each path, and where unknown writes may have changed something.
pub(super) struct Evidence {
    told: HashMap<String, Told>,
    unknown: HashSet<String>,
}

const KINDS: [Kind; 3] = [Kind::Created, Kind::Set, Kind::Deleted];

impl Evidence {
    pub(super) fn of(history: &History) -> Evidence {
        let mut told: HashMap<String, Told> = HashMap::new();
        for entry in history.clients.iter().flat_map(|c| &c.entries) {
            let What::Event { kind, path, zxid } = &entry.what else { continue };
            let kind = match *kind {
                Event::CREATED => 0,
                Event::DATA_CHANGED => 1,
                Event::DELETED => 2,
                _ => continue,
            };
            if *zxid > 0 {
                told.entry(path.clone()).or_default().insert((*zxid, kind));
            }
        }
        let unknown = history.calls().filter(|c| c.reply.is_none()).flat_map(|c| c.op.parts());
        Evidence { told, unknown: unknown.map(|op: &Op| op.path().to_owned()).collect() }
    }

    /// Moves and adds changes of one path as the events say.
    pub(super) fn refine(&mut self, path: &str, changes: &mut Vec<Change>, findings: &mut Findings) {
        for (zxid, kind) in self.told.remove(path).unwrap_or_default() {
            let kind = KINDS[usize::from(kind)];
            if changes.iter().any(|c| c.exact && c.zxid == zxid && c.kind == kind) {
                continue;
            }
            let uncertain = changes.iter_mut().rev().find(|c| !c.exact && c.kind == kind && c.zxid <= zxid);
            match uncertain {
                Some(change) => *change = Change { zxid, kind, exact: true },
                None if self.may_have_changed(path) => changes.push(Change { zxid, kind, exact: true }),
                None => {
                    let text = format!("{path} was {kind:?} at {zxid:#x}, as an event says, and by nobody");
                    findings.add(Promise::EventOnce, text);
                }
            }
            changes.sort_by_key(|c| c.zxid);
        }
    }

    /// The paths that only events speak of.
    pub(super) fn rest(mut self, timeline: &mut Timeline, findings: &mut Findings) {
        let paths: Vec<String> = self.told.keys().cloned().collect();
        for path in paths {
            let mut changes = Vec::new();
            self.refine(&path, &mut changes, findings);
            timeline.insert(path, changes);
        }
    }

    fn may_have_changed(&self, path: &str) -> bool {
        let sequential = path.len().checked_sub(10).and_then(|cut| path.get(..cut));
        self.unknown.contains(path) || sequential.is_some_and(|asked| self.unknown.contains(asked))
    }
}
