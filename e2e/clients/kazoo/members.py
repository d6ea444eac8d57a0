"""Sessions across members that die: re-attach, ephemerals, watches, locks; and sessions that really end."""

import threading
import time

from kazoo.client import KazooState

from harness import Doors, case, case_of_three, control, equal, server_port, until


class Killed:
    """The member that a client is connected to is killed on entry; on exit it is started again."""

    def __init__(self, client, lone):
        self.port, self.lone = server_port(client), lone

    def __enter__(self):
        control(f"kill {self.port}")
        if self.lone:
            control(f"start {self.port}")

    def __exit__(self, *_):
        control(f"start {self.port}")


def lone(t):
    return "," not in t.hosts


@case
def a_session_its_ephemerals_and_its_watches_outlive_the_member(t):
    zk, other = t.rooted(), t.client(timeout=10)
    victim = t.client(timeout=10)
    victim.create(t.root + "/mine", b"e", ephemeral=True)
    victim.create(t.root + "/data", b"0")
    session, states, data, children, absent = victim.client_id, [], [], [], []
    victim.add_listener(states.append)
    victim.DataWatch(t.root + "/data", lambda value, stat: data.append(value))
    victim.DataWatch(t.root + "/later", lambda value, stat: absent.append(value))
    victim.ChildrenWatch(t.root, lambda names: children.append(sorted(names)))
    with Killed(victim, lone(t)):
        until(lambda: states[-1:] == [KazooState.CONNECTED], "a new connection", 20)
        equal(victim.client_id, session)
        assert KazooState.LOST not in states, states
        until(lambda: other.connected, "the other client")
        other.retry(other.set, t.root + "/data", b"1")
        other.retry(other.create, t.root + "/later")
        until(lambda: data[-1] == b"1" and absent[-1] == b"", "both changes through watches set before the kill")
        until(lambda: children[-1] == ["data", "later", "mine"], "the new list of children")
        equal(victim.exists(t.root + "/mine").ephemeralOwner, session[0])
    until(lambda: zk.connected, "the first client")
    victim.stop()
    zk.retry(zk.sync, t.root)
    equal(zk.retry(zk.exists, t.root + "/mine"), None)


@case
def writes_go_on_through_a_killed_member(t):
    zk = t.rooted()
    writer = t.client(timeout=10)
    written = []
    stop = threading.Event()

    def write():
        while not stop.is_set():
            name = f"{t.root}/w{len(written):05}"
            writer.retry(writer.ensure_path, name)
            written.append(name)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    until(lambda: len(written) > 20, "the first writes")
    with Killed(writer, lone(t)):
        before = len(written)
        until(lambda: len(written) > before + 20, "writes after the kill", 25)
    stop.set()
    thread.join(20)
    zk.retry(zk.sync, t.root)
    there = set(zk.retry(zk.get_children, t.root))
    lost = [name for name in written if name.rsplit("/", 1)[1] not in there]
    equal(lost, [])


@case
def a_lock_is_kept_through_the_loss_of_the_leader(t):
    zk = t.rooted()
    holder, other = t.client(timeout=10), t.client(timeout=10)
    lock = holder.Lock(t.root + "/lock", "holder")
    lock.acquire()
    leader = control("leader")
    control(f"kill {leader}")
    control(f"start {leader}")
    until(lambda: holder.connected and other.connected and zk.connected, "everybody connected", 20)
    equal(other.retry(other.Lock(t.root + "/lock").contenders), ["holder"])
    equal(other.Lock(t.root + "/lock").acquire(blocking=False), False)
    holder.retry(lock.release)
    assert other.Lock(t.root + "/lock").acquire(timeout=10)


@case
def a_session_that_is_not_heard_of_expires_with_its_ephemerals(t):
    watcher, doors = t.rooted(), Doors(t.hosts)
    victim = t.client(timeout=1.0, hosts=doors.hosts)
    states, gone, session = [], [], victim.client_id
    victim.add_listener(states.append)
    victim.create(t.root + "/gone", ephemeral=True)
    watcher.sync(t.root)
    watcher.exists(t.root + "/gone", watch=gone.append)
    before = time.monotonic()
    doors.set("shut")
    until(lambda: gone, "the end of the ephemeral")
    assert time.monotonic() - before > 0.5, "it ended before its time"
    doors.set("open")
    until(lambda: states[-1:] == [KazooState.CONNECTED], "a new session", 20)
    assert KazooState.LOST in states and victim.client_id != session, f"{states}: the old session goes on"
    victim.retry(victim.create, t.root + "/gone", ephemeral=True)
    watcher.sync(t.root)
    equal(watcher.exists(t.root + "/gone").ephemeralOwner, victim.client_id[0])


@case_of_three
def a_stopped_member_holds_no_session_up(t):
    # It knows one member alone: another would take its session up in time, since a stopped leader is soon replaced.
    its_host, *others = t.hosts.split(",")
    watcher, victim = t.client(hosts=",".join(others)), t.client(timeout=1.0, hosts=its_host)
    gone, session = [], victim.client_id
    victim.create(t.root, ephemeral=True)
    watcher.sync(t.root)
    watcher.exists(t.root, watch=gone.append)
    before = time.monotonic()
    control(f"stop {server_port(victim)}")
    until(lambda: gone, "the end of the ephemeral")
    assert time.monotonic() - before > 0.5, "it ended before its time"
    control(f"cont {its_host.rsplit(':', 1)[1]}")
    until(lambda: victim.connected and victim.client_id != session, "a new session", 20)


@case
def a_closed_session_cannot_be_taken_up_again(t):
    first = t.client()
    session = first.client_id
    first.stop()
    again = t.client(client_id=session)
    assert again.client_id != session, "a closed session was revived"


@case
def a_session_moves_with_its_id_and_password_alone(t):
    zk = t.rooted()
    first = t.client(timeout=10)
    session, password = first.client_id
    first.create(t.root + "/e", ephemeral=True)
    wrong = t.client(timeout=10, client_id=(session, b"\1" * 16))
    assert wrong.client_id[0] != session, "a wrong password was accepted"
    second = t.client(timeout=10, client_id=(session, password))
    equal(second.client_id[0], session)
    equal(second.retry(second.exists, t.root + "/e").ephemeralOwner, session)
    first.stop()
    second.retry(second.exists, "/")
    second.stop()
    until(lambda: zk.exists(t.root + "/e") is None, "the end of the ephemeral")
