"""Watches as kazoo ships them: one-shot, DataWatch, ChildrenWatch, TreeCache."""

from kazoo.protocol.states import EventType
from kazoo.recipe.cache import TreeCache, TreeEvent

from harness import case, equal, until


@case
def a_watch_fires_once_and_only_for_its_kind(t):
    zk, other = t.rooted(), t.client()
    data, children, absent = [], [], []
    zk.create(t.root + "/a")
    zk.get(t.root + "/a", watch=data.append)
    zk.get_children(t.root + "/a", watch=children.append)
    zk.exists(t.root + "/b", watch=absent.append)
    other.create(t.root + "/a/child")
    until(lambda: children, "a child event")
    other.set(t.root + "/a", b"1")
    other.set(t.root + "/a", b"2")
    other.create(t.root + "/b")
    until(lambda: absent, "a created event")
    zk.sync(t.root)
    equal([(e.type, e.path) for e in children], [(EventType.CHILD, t.root + "/a")])
    equal([(e.type, e.path) for e in data], [(EventType.CHANGED, t.root + "/a")])
    equal([(e.type, e.path) for e in absent], [(EventType.CREATED, t.root + "/b")])


@case
def a_deleted_znode_tells_its_data_and_child_watchers_once_each(t):
    zk, other = t.rooted(), t.client()
    zk.create(t.root + "/a")
    events, parent = [], []
    zk.get(t.root + "/a", watch=lambda e: events.append(("data", e.type)))
    zk.get_children(t.root + "/a", watch=lambda e: events.append(("children", e.type)))
    zk.get_children(t.root, watch=parent.append)
    other.delete(t.root + "/a")
    until(lambda: len(events) == 2 and parent, "three events")
    equal(sorted(events), [("children", "DELETED"), ("data", "DELETED")])
    equal(parent[0].type, "CHILD")


@case
def data_watch_follows_a_znode_through_its_life(t):
    zk, other = t.rooted(), t.client()
    seen = []
    zk.DataWatch(t.root + "/d", lambda data, stat: seen.append(data))
    until(lambda: seen == [None], "the absent state")
    for step in (lambda: other.create(t.root + "/d", b"1"), lambda: other.set(t.root + "/d", b"2"),
                 lambda: other.delete(t.root + "/d"), lambda: other.create(t.root + "/d", b"3")):
        before = len(seen)
        step()
        until(lambda: len(seen) > before, f"a call after {seen}")
    equal(seen, [None, b"1", b"2", None, b"3"])


@case
def children_watch_sees_every_settled_list(t):
    zk, other = t.rooted(), t.client()
    seen = []
    zk.ChildrenWatch(t.root, lambda names: seen.append(sorted(names)))
    for i in range(5):
        other.create(f"{t.root}/{i}", ephemeral=True)
    until(lambda: seen[-1] == ["0", "1", "2", "3", "4"], "all five children")
    other.stop()
    until(lambda: seen[-1] == [], "no children")


@case
def a_tree_cache_mirrors_a_subtree(t):
    zk, other = t.rooted(), t.client()
    other.create(t.root + "/a/b", b"1", makepath=True)
    zk.sync("/")
    cache, events = TreeCache(zk, t.root), []
    cache.listen(lambda event: events.append(event.event_type))
    cache.start()
    until(lambda: TreeEvent.INITIALIZED in events, "the first fill")
    equal(cache.get_data(t.root + "/a/b").data, b"1")
    other.set(t.root + "/a/b", b"2")
    until(lambda: cache.get_data(t.root + "/a/b").data == b"2", "the change")
    other.create(t.root + "/a/c", b"3")
    until(lambda: sorted(cache.get_children(t.root + "/a")) == ["b", "c"], "the new child")
    other.delete(t.root + "/a", recursive=True)
    until(lambda: cache.get_data(t.root + "/a") is None, "the deletion")
    cache.close()


@case
def five_hundred_watchers_of_one_znode_are_all_told(t):
    zk = t.rooted()
    zk.create(t.root + "/hot")
    clients = [t.client() for _ in range(10)]
    told = []
    for client in clients:
        for i in range(50):
            client.get(t.root + "/hot", watch=lambda e, i=i: told.append(i))
    zk.set(t.root + "/hot", b"x")
    until(lambda: len(told) == 500, "500 events")
