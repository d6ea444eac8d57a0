//! What this client watches, so that it can be asked for again on another connection.

use std::collections::BTreeSet;

use coordd_proto::{EventType, SetWatches, Zxid};

/// How a path is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watch {
    Data,
    /// Of a znode that may not exist yet.
    Exist,
    Child,
    Persistent,
    Recursive,
}

#[derive(Debug, Default)]
pub(super) struct Watches {
    data: BTreeSet<String>,
    exist: BTreeSet<String>,
    child: BTreeSet<String>,
    persistent: BTreeSet<String>,
    recursive: BTreeSet<String>,
}

impl Watches {
    pub(super) fn add(&mut self, watch: Watch, path: String) {
        let set = match watch {
            Watch::Data => &mut self.data,
            Watch::Exist => &mut self.exist,
            Watch::Child => &mut self.child,
            Watch::Persistent => &mut self.persistent,
            Watch::Recursive => &mut self.recursive,
        };
        set.insert(path);
    }

    /// One-shot watches end with their event.
    pub(super) fn fired(&mut self, event: EventType, path: &str) {
        if event != EventType::NodeChildrenChanged {
            self.data.remove(path);
            self.exist.remove(path);
        }
        if matches!(event, EventType::NodeChildrenChanged | EventType::NodeDeleted) {
            self.child.remove(path);
        }
    }

    pub(super) fn forget(&mut self, path: &str) {
        for set in [&mut self.data, &mut self.exist, &mut self.child, &mut self.persistent, &mut self.recursive] {
            set.remove(path);
        }
    }

    /// The request that arms all of them again; `None` when there are none.
    pub(super) fn again(&self, seen: Zxid) -> Option<SetWatches<'_>> {
        let list = |set: &BTreeSet<String>| set.iter().map(|path| path.clone().into()).collect::<Vec<_>>();
        let again = SetWatches {
            relative_zxid: seen,
            data: list(&self.data),
            exist: list(&self.exist),
            child: list(&self.child),
            persistent: list(&self.persistent),
            recursive: list(&self.recursive),
        };
        let sets = [&self.data, &self.exist, &self.child, &self.persistent, &self.recursive];
        sets.iter().any(|set| !set.is_empty()).then_some(again)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_ends_the_one_shot_watches_that_it_answers_and_no_others() {
        let mut watches = Watches::default();
        for watch in [Watch::Data, Watch::Child, Watch::Recursive] {
            watches.add(watch, "/a".to_owned());
        }
        watches.fired(EventType::NodeDataChanged, "/a");
        let again = watches.again(Zxid(7)).unwrap();
        assert_eq!((again.data.len(), again.child.len(), again.recursive.len()), (0, 1, 1));
        watches.fired(EventType::NodeDeleted, "/a");
        watches.forget("/a");
        assert!(watches.again(Zxid(7)).is_none());
    }
}
