//! The rows of ZooKeeper's watch table, one after another.

use super::*;

const A: WatcherId = WatcherId(1);
const B: WatcherId = WatcherId(2);

fn fired(table: &mut Table, trigger: Trigger, path: &str) -> Vec<(EventType, String, Vec<u64>)> {
    let mut all = Vec::new();
    table.fire(trigger, path, |told| {
        all.push((told.event, told.path.to_owned(), told.watchers.iter().map(|w| w.0).collect()));
    });
    all
}

fn ev(event: EventType, path: &str, watchers: &[u64]) -> (EventType, String, Vec<u64>) {
    (event, path.to_owned(), watchers.to_vec())
}

#[test]
fn a_one_shot_watch_fires_once() {
    let mut t = Table::default();
    t.add(A, Side::Data, "/a", Modes::STANDARD);
    assert_eq!(fired(&mut t, Trigger::DataChanged, "/a"), [ev(EventType::NodeDataChanged, "/a", &[1])]);
    assert!(fired(&mut t, Trigger::DataChanged, "/a").is_empty());
    assert_eq!(t.count(), 0);
}

#[test]
fn a_delete_tells_the_data_watch_then_the_child_watch_then_the_parents_child_watch() {
    let mut t = Table::default();
    t.add(A, Side::Data, "/p/a", Modes::STANDARD);
    t.add(B, Side::Child, "/p/a", Modes::STANDARD);
    t.add(A, Side::Child, "/p", Modes::STANDARD);
    assert_eq!(
        fired(&mut t, Trigger::Deleted, "/p/a"),
        [
            ev(EventType::NodeDeleted, "/p/a", &[1]),
            ev(EventType::NodeDeleted, "/p/a", &[2]),
            ev(EventType::NodeChildrenChanged, "/p", &[1]),
        ]
    );
    assert_eq!(t.count(), 0);
}

#[test]
fn a_delete_tells_a_connection_once_though_it_holds_a_data_and_a_child_watch() {
    let mut t = Table::default();
    t.add(A, Side::Data, "/a", Modes::STANDARD);
    t.add(A, Side::Child, "/a", Modes::STANDARD);
    assert_eq!(fired(&mut t, Trigger::Deleted, "/a"), [ev(EventType::NodeDeleted, "/a", &[1])]);
    assert_eq!(t.count(), 0, "both are used up");
}

#[test]
fn a_child_of_the_root_fires_the_roots_child_watch() {
    let mut t = Table::default();
    t.add(A, Side::Child, "/", Modes::STANDARD);
    assert_eq!(fired(&mut t, Trigger::Created, "/a"), [ev(EventType::NodeChildrenChanged, "/", &[1])]);
}

#[test]
fn a_recursive_watch_hears_of_everything_below_and_never_of_children_lists() {
    let mut t = Table::default();
    t.add_persistent(A, "/", true);
    t.add_persistent(B, "/p", true);
    assert_eq!(fired(&mut t, Trigger::Created, "/p/q/r"), [ev(EventType::NodeCreated, "/p/q/r", &[1, 2])]);
    assert_eq!(fired(&mut t, Trigger::Created, "/x"), [ev(EventType::NodeCreated, "/x", &[1])]);
    assert_eq!(fired(&mut t, Trigger::DataChanged, "/px"), [ev(EventType::NodeDataChanged, "/px", &[1])]);
}

#[test]
fn modes_coexist_on_one_path_and_yield_one_event() {
    let mut t = Table::default();
    t.add(A, Side::Data, "/a", Modes::STANDARD);
    t.add_persistent(A, "/a", false);
    t.add_persistent(A, "/a", true);
    assert_eq!(fired(&mut t, Trigger::DataChanged, "/a"), [ev(EventType::NodeDataChanged, "/a", &[1])]);
    assert!(!t.contains(A, "/a", WatcherType::Data), "the one-shot part is used up");
    assert!(t.contains(A, "/a", WatcherType::Persistent));
    assert!(t.contains(A, "/a", WatcherType::PersistentRecursive));
    assert_eq!(
        fired(&mut t, Trigger::Created, "/a/b"),
        [ev(EventType::NodeCreated, "/a/b", &[1]), ev(EventType::NodeChildrenChanged, "/a", &[1])]
    );
}

#[test]
fn removal_looks_at_the_exact_type_and_says_whether_it_removed() {
    let mut t = Table::default();
    t.add_persistent(A, "/a", false);
    assert!(!t.remove(A, "/a", WatcherType::Data));
    assert!(!t.remove(B, "/a", WatcherType::Any));
    assert!(t.remove(A, "/a", WatcherType::Persistent));
    assert_eq!(t.count(), 0);
    t.add(A, Side::Child, "/a", Modes::STANDARD);
    t.add_persistent(A, "/a", true);
    assert!(t.contains(A, "/a", WatcherType::Any));
    assert!(t.remove(A, "/a", WatcherType::Children));
    assert!(t.remove(A, "/a", WatcherType::Any));
    assert!(!t.contains(A, "/a", WatcherType::Any));
    assert_eq!(t.recursive, 0);
}

#[test]
fn a_gone_connection_leaves_nothing_behind() {
    let mut t = Table::default();
    t.add(A, Side::Data, "/a", Modes::STANDARD);
    t.add(A, Side::Child, "/a", Modes::STANDARD);
    t.add_persistent(A, "/b", true);
    t.add(B, Side::Data, "/a", Modes::STANDARD);
    t.remove_watcher(A);
    assert_eq!((t.count(), t.recursive, t.by_path.len(), t.by_watcher.len()), (1, 0, 1, 1));
    assert_eq!(fired(&mut t, Trigger::Deleted, "/a"), [ev(EventType::NodeDeleted, "/a", &[2])]);
}

#[test]
fn thousands_of_watchers_of_one_znode_are_one_event() {
    let mut t = Table::default();
    (0..999).for_each(|w| t.add(WatcherId(w), Side::Data, "/a", Modes::STANDARD));
    let all = fired(&mut t, Trigger::DataChanged, "/a");
    assert_eq!((all.len(), all[0].2.len(), t.count()), (1, 999, 0));
    assert!(t.by_path.is_empty() && t.by_watcher.values().all(HashSet::is_empty));
    (0..999).for_each(|w| t.remove_watcher(WatcherId(w)));
    assert!(t.by_watcher.is_empty());
}

#[test]
fn a_change_uses_up_the_one_shot_watches_among_persistent_ones() {
    let mut t = Table::default();
    (0..6).for_each(|w| t.add(WatcherId(w), Side::Data, "/a", Modes::STANDARD));
    (3..9).for_each(|w| t.add_persistent(WatcherId(w), "/a", false));
    t.add(A, Side::Child, "/a", Modes::STANDARD);
    let told = |upto: std::ops::Range<u64>| [ev(EventType::NodeDataChanged, "/a", &upto.collect::<Vec<_>>())];
    assert_eq!(fired(&mut t, Trigger::DataChanged, "/a"), told(0..9));
    assert_eq!(fired(&mut t, Trigger::DataChanged, "/a"), told(3..9));
    assert_eq!((t.data_count(), t.count()), (6, 13));
    // The first has nothing left, the second its watch of the children.
    assert_eq!([0, 1].map(|w| t.by_watcher[&WatcherId(w)].len()), [0, 1]);
    assert!(t.contains(A, "/a", WatcherType::Children));
}

#[test]
fn who_watched_a_great_many_paths_keeps_no_room_for_them_once_all_have_fired() {
    let mut t = Table::default();
    let paths: Vec<String> = (0..1000).map(|n| format!("/{n}")).collect();
    paths.iter().for_each(|path| t.add(A, Side::Data, path, Modes::STANDARD));
    paths.iter().for_each(|path| drop(fired(&mut t, Trigger::DataChanged, path)));
    assert_eq!((t.count(), t.by_watcher[&A].capacity()), (0, 0));
}
