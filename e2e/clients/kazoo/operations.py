"""The plain operations as a kazoo user calls them: znodes, versions, transactions, ACLs, chroot, retry."""

from kazoo.exceptions import (
    BadVersionError,
    InvalidACLError,
    NoAuthError,
    NoChildrenForEphemeralsError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    RolledBackError,
    RuntimeInconsistency,
)
from kazoo.security import ACL, Id, make_digest_acl, make_acl

from harness import case, equal, in_threads, raises, until


@case
def a_znode_lives_and_its_stat_tells_it(t):
    zk = t.rooted()
    path, created = zk.create(t.root + "/a", b"one", include_data=True)
    equal(path, t.root + "/a")
    equal((created.version, created.data_length, created.mzxid), (0, 3, created.czxid))
    data, stat = zk.get(path)
    equal(data, b"one")
    equal((stat.czxid, stat.version, stat.ephemeralOwner), (created.czxid, 0, 0))
    changed = zk.set(path, b"three")
    equal((changed.version, changed.data_length, changed.czxid), (1, 5, stat.czxid))
    assert changed.mzxid > stat.mzxid and changed.mtime >= stat.mtime
    zk.create(path + "/child")
    parent = zk.exists(path)
    equal((parent.cversion, parent.numChildren, parent.mzxid), (1, 1, changed.mzxid))
    assert parent.pzxid > changed.mzxid
    raises(NotEmptyError, zk.delete, path)
    zk.delete(path, recursive=True)
    equal(zk.exists(path), None)
    raises(NoNodeError, zk.get, path)


@case
def versions_guard_set_and_delete(t):
    zk = t.rooted()
    path = zk.create(t.root + "/v", b"")
    raises(BadVersionError, zk.set, path, b"x", version=1)
    equal(zk.set(path, b"x", version=0).version, 1)
    raises(BadVersionError, zk.delete, path, version=0)
    zk.delete(path, version=1)
    raises(NoNodeError, zk.delete, path)


@case
def creating_asks_for_a_parent_and_a_free_name(t):
    zk = t.rooted()
    raises(NoNodeError, zk.create, t.root + "/no/parent")
    equal(zk.create(t.root + "/no/parent/x", makepath=True), t.root + "/no/parent/x")
    raises(NodeExistsError, zk.create, t.root + "/no")
    zk.create(t.root + "/e", ephemeral=True)
    raises(NoChildrenForEphemeralsError, zk.create, t.root + "/e/child")


@case
def sequence_names_grow_by_one_and_survive_deletes(t):
    zk = t.rooted()
    names = [zk.create(t.root + "/s-", sequence=True)[-10:] for _ in range(3)]
    equal(names, ["0000000000", "0000000001", "0000000002"])
    zk.delete(t.root + "/s-0000000002")
    equal(zk.create(t.root + "/t-", sequence=True, ephemeral=True), t.root + "/t-0000000003")


@case
def an_ephemeral_ends_with_its_session(t):
    zk, other = t.rooted(), t.client()
    zk.create(t.root + "/keep")
    other.create(t.root + "/gone", ephemeral=True)
    zk.sync("/")
    equal(zk.exists(t.root + "/gone").ephemeralOwner, other.client_id[0])
    gone = []
    zk.exists(t.root + "/gone", watch=gone.append)
    other.stop()
    until(lambda: gone, "a watch event for the ephemeral")
    equal((gone[0].type, gone[0].path), ("DELETED", t.root + "/gone"))
    equal(zk.get_children(t.root), ["keep"])


@case
def bytes_and_names_of_all_kinds_survive(t):
    zk = t.rooted()
    blob = bytes(range(256)) * 2000
    for name, data in [("größe-世界", "世界".encode()), ("blank in name", b""), ("blob", blob), (".hidden", b"\0")]:
        zk.create(f"{t.root}/{name}", data)
        equal(zk.get(f"{t.root}/{name}")[0], data)
    equal(sorted(zk.get_children(t.root)), sorted(["größe-世界", "blank in name", "blob", ".hidden"]))
    children, stat = zk.get_children(t.root, include_data=True)
    equal((len(children), stat.numChildren), (4, 4))


@case
def a_transaction_is_all_or_nothing(t):
    zk = t.rooted()
    zk.create(t.root + "/x", b"0")
    good = zk.transaction()
    good.check(t.root + "/x", 0)
    good.create(t.root + "/y", b"1", sequence=True)
    good.set_data(t.root + "/x", b"2")
    good.create(t.root + "/z", ephemeral=True)
    good.delete(t.root + "/z")
    results = good.commit()
    equal((results[0], results[2].version, results[4]), (True, 1, True))
    assert results[1].startswith(t.root + "/y"), results
    bad = zk.transaction()
    bad.create(t.root + "/never")
    bad.check(t.root + "/x", 7)
    bad.delete(t.root + "/x")
    results = bad.commit()
    equal([type(r) for r in results], [RolledBackError, BadVersionError, RuntimeInconsistency])
    equal(zk.exists(t.root + "/never"), None)
    equal(zk.get(t.root + "/x")[0], b"2")


@case
def an_acl_admits_whom_it_names(t):
    zk = t.rooted()
    owner, stranger = t.client(), t.client()
    owner.add_auth("digest", "user:secret")
    rules = [make_digest_acl("user", "secret", all=True), make_acl("world", "anyone", read=True)]
    owner.create(t.root + "/mine", b"data", acl=rules)
    stranger.sync("/")
    equal(stranger.get(t.root + "/mine")[0], b"data")
    raises(NoAuthError, stranger.set, t.root + "/mine", b"x")
    raises(NoAuthError, stranger.create, t.root + "/mine/x")
    owner.set(t.root + "/mine", b"y")
    stranger.add_auth("digest", "user:wrong")
    raises(NoAuthError, stranger.set, t.root + "/mine", b"x")
    stranger.add_auth("digest", "user:secret")
    equal(stranger.set(t.root + "/mine", b"z").version, 2)
    zk.delete(t.root + "/mine")


@case
def acls_are_read_back_and_replaced(t):
    zk = t.rooted()
    zk.add_auth("digest", "u:p")
    path = zk.create(t.root + "/a", acl=[ACL(31, Id("auth", ""))])
    acls, stat = zk.get_acls(path)
    equal(acls, [make_digest_acl("u", "p", all=True)])
    equal(stat.aversion, 0)
    equal(zk.set_acls(path, [make_acl("world", "anyone", all=True)], version=0).aversion, 1)
    raises(BadVersionError, zk.set_acls, path, [make_acl("world", "anyone", all=True)], version=0)
    raises(InvalidACLError, zk.set_acls, path, [make_acl("digest", "no-colon", all=True)])
    raises(InvalidACLError, t.client().create, t.root + "/b", b"", [ACL(31, Id("auth", ""))])
    equal(zk.get_acls(path)[0], [make_acl("world", "anyone", all=True)])


@case
def auth_data_at_the_start_works_and_the_super_user_may_all(t):
    zk = t.rooted()
    zk.create(t.root + "/locked", acl=[make_digest_acl("nobody", "knows", all=True)])
    raises(NoAuthError, zk.get, t.root + "/locked")
    boss = t.client(auth_data=[("digest", "super:test")])
    boss.sync("/")
    equal(boss.get(t.root + "/locked")[0], b"")


@case
def a_chroot_hides_what_is_above(t):
    zk = t.rooted()
    inner = t.client(chroot=t.root)
    inner.create("/a/b", b"deep", makepath=True)
    zk.sync("/")
    equal(zk.get(t.root + "/a/b")[0], b"deep")
    equal(inner.get_children("/"), ["a"])
    equal(inner.create("/a/s-", sequence=True), "/a/s-0000000001")
    seen = []
    inner.get("/a/b", watch=seen.append)
    zk.set(t.root + "/a/b", b"new")
    until(lambda: seen, "the event")
    equal(seen[0].path, "/a/b")


@case
def many_requests_in_flight_are_answered_in_order(t):
    zk = t.rooted()
    order = []
    handles = [zk.create_async(f"{t.root}/n{i:04}", str(i).encode()) for i in range(500)]
    for i, handle in enumerate(handles):
        handle.rawlink(lambda _, i=i: order.append(i))
    equal(handles[-1].get(timeout=20), t.root + "/n0499")
    reads = [zk.get_async(f"{t.root}/n{i:04}") for i in range(500)]
    equal([int(r.get(timeout=20)[0]) for r in reads], list(range(500)))
    until(lambda: len(order) == 500, "all callbacks")
    equal(order, sorted(order))
    equal(len(zk.get_children(t.root)), 500)


@case
def sync_shows_what_another_client_wrote(t):
    zk, other = t.rooted(), t.client()
    for i in range(20):
        zk.create(f"{t.root}/{i}")
        equal(other.sync(t.root), t.root)
        assert other.exists(f"{t.root}/{i}"), f"{i} is not seen after sync"


@case
def retry_runs_a_counter_to_the_right_sum(t):
    zk = t.rooted()
    path = zk.create(t.root + "/n", b"0")
    clients = [t.client() for _ in range(4)]

    def add(client):
        for _ in range(10):
            while True:
                data, stat = client.retry(client.get, path)
                try:
                    client.set(path, str(int(data) + 1).encode(), version=stat.version)
                    break
                except BadVersionError:
                    continue

    in_threads(*[lambda c=c: add(c) for c in clients])
    zk.sync(path)
    equal(zk.get(path)[0], b"40")


@case
def the_server_tells_its_version_and_that_it_is_well(t):
    zk = t.client()
    equal(zk.command(b"ruok"), "imok")
    assert zk.server_version()[0] == 3, zk.server_version()
    assert "zk_server_state" in zk.command(b"mntr")
