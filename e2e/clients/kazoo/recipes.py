"""The recipes that kazoo ships, each held by several clients at once."""

import datetime
import threading
import uuid

from kazoo.exceptions import CancelledError, LockTimeout
from kazoo.recipe.partitioner import PartitionState

from harness import case, equal, in_threads, raises, until


@case
def a_lock_is_held_by_one_at_a_time(t):
    zk = t.rooted()
    path, inside, order = t.root + "/lock", [], []

    def work(client, name):
        for _ in range(3):
            with client.Lock(path, name):
                inside.append(name)
                equal(len(inside), 1)
                order.append(name)
                inside.remove(name)

    clients = [t.client() for _ in range(4)]
    in_threads(*[lambda c=c, i=i: work(c, f"w{i}") for i, c in enumerate(clients)])
    equal(len(order), 12)
    zk.sync("/")
    equal(zk.get_children(path), [])


@case
def a_waiting_lock_is_listed_times_out_and_can_be_cancelled(t):
    zk, other = t.rooted(), t.client()
    path = t.root + "/lock"
    held, waiting = zk.Lock(path, "first"), other.Lock(path, "second")
    held.acquire()
    equal(waiting.acquire(blocking=False), False)
    raises(LockTimeout, waiting.acquire, timeout=0.3)
    thread = threading.Thread(target=lambda: raises(CancelledError, waiting.acquire), daemon=True)
    thread.start()
    until(lambda: held.contenders() == ["first", "second"], "both contenders")
    waiting.cancel()
    thread.join(10)
    assert not thread.is_alive(), "cancel did not wake the waiting acquire"
    held.release()
    assert waiting.acquire(timeout=5)


@case
def a_lock_falls_free_when_its_holder_is_gone(t):
    t.rooted()
    holder, heir = t.client(), t.client()
    holder.Lock(t.root + "/lock").acquire()
    inherited = threading.Event()
    threading.Thread(target=lambda: heir.Lock(t.root + "/lock").acquire() and inherited.set(), daemon=True).start()
    holder.stop()
    assert inherited.wait(15), "the heir did not get the lock"


@case
def readers_share_and_a_writer_is_alone(t):
    t.rooted()
    path = t.root + "/rw"
    a, b, c = t.client(), t.client(), t.client()
    first, second, writer = a.ReadLock(path), b.ReadLock(path), c.WriteLock(path)
    assert first.acquire(timeout=5) and second.acquire(timeout=5)
    raises(LockTimeout, writer.acquire, timeout=0.3)
    first.release()
    second.release()
    assert writer.acquire(timeout=5)
    raises(LockTimeout, a.ReadLock(path).acquire, timeout=0.3)
    writer.release()
    assert a.ReadLock(path).acquire(timeout=5)


@case
def a_semaphore_admits_as_many_as_it_has_leases(t):
    zk = t.rooted()
    path = t.root + "/semaphore"
    clients = [t.client() for _ in range(3)]
    first, second, third = [c.Semaphore(path, f"c{i}", max_leases=2) for i, c in enumerate(clients)]
    assert first.acquire(timeout=5) and second.acquire(timeout=5)
    equal(third.acquire(blocking=False), False)
    zk.sync("/")
    equal(sorted(zk.Semaphore(path, max_leases=2).lease_holders()), ["c0", "c1"])
    clients[0].stop()
    assert third.acquire(timeout=10), "the lease of a closed session was not given on"


@case
def an_election_passes_from_leader_to_leader(t):
    zk = t.rooted()
    path, led = t.root + "/election", []
    elections = [t.client().Election(path, f"n{i}") for i in range(3)]
    busy = threading.Lock()

    def lead(name):
        assert busy.acquire(blocking=False), "two lead"
        led.append(name)
        busy.release()

    in_threads(*[lambda e=e, i=i: e.run(lead, f"n{i}") for i, e in enumerate(elections)])
    equal(sorted(led), ["n0", "n1", "n2"])
    zk.sync("/")
    equal(zk.Election(path).contenders(), [])


@case
def a_barrier_holds_until_it_is_removed(t):
    zk, other = t.rooted(), t.client()
    barrier = zk.Barrier(t.root + "/barrier")
    barrier.create()
    other.sync("/")
    equal(other.Barrier(t.root + "/barrier").wait(0.3), False)
    passed = threading.Event()
    threading.Thread(target=lambda: other.Barrier(t.root + "/barrier").wait() and passed.set(), daemon=True).start()
    equal(barrier.remove(), True)
    assert passed.wait(10), "the barrier fell and nobody passed"
    equal(barrier.wait(1), True)


@case
def a_double_barrier_lets_all_in_and_out_together(t):
    t.rooted()
    inside, count = [], 3
    barriers = [t.client().DoubleBarrier(t.root + "/double", count) for _ in range(count)]

    def pass_through(barrier):
        barrier.enter()
        inside.append(1)
        until(lambda: len(inside) == count, "all inside")
        barrier.leave()

    in_threads(*[lambda b=b: pass_through(b) for b in barriers])


@case
def a_queue_gives_by_priority_and_then_in_order(t):
    zk = t.rooted()
    queue = zk.Queue(t.root + "/queue")
    for value, priority in [(b"late", 200), (b"one", 100), (b"two", 100), (b"first", 10)]:
        queue.put(value, priority)
    equal(len(queue), 4)
    equal([queue.get() for _ in range(5)], [b"first", b"one", b"two", b"late", None])


@case
def a_locking_queue_gives_an_item_to_one_until_it_is_consumed(t):
    t.rooted()
    a, b = t.client(), t.client()
    mine, yours = a.LockingQueue(t.root + "/queue"), b.LockingQueue(t.root + "/queue")
    mine.put_all([b"1", b"2"])
    equal(mine.get(timeout=5), b"1")
    equal(yours.get(timeout=5), b"2")
    equal(yours.consume(), True)
    equal(yours.get(timeout=0.3), None)
    a.stop()
    equal(yours.get(timeout=10), b"1")
    equal((yours.holds_lock(), yours.consume()), (True, True))


@case
def a_counter_adds_from_many_clients(t):
    zk = t.rooted()
    clients = [t.client() for _ in range(4)]

    def add(client):
        counter = client.Counter(t.root + "/counter")
        for _ in range(5):
            counter += 2
        counter -= 1

    in_threads(*[lambda c=c: add(c) for c in clients])
    zk.sync(t.root + "/counter")
    equal(zk.Counter(t.root + "/counter").value, 36)
    fraction = zk.Counter(t.root + "/float", default=1.5)
    fraction += 0.25
    equal(fraction.value, 1.75)


@case
def a_party_lists_those_who_joined(t):
    t.rooted()
    for kind in ("Party", "ShallowParty"):
        path = f"{t.root}/{kind}"
        a, b = t.client(), t.client()
        here, there = getattr(a, kind)(path, "alice"), getattr(b, kind)(path, "bob")
        here.join()
        there.join()
        a.sync(path)
        equal(sorted(here), ["alice", "bob"])
        there.leave()
        a.sync(path)
        equal(list(here), ["alice"])
        a.stop()
        until(lambda: len(there) == 0, "alice gone with her session")


@case
def a_lease_is_one_holders_until_it_ends(t):
    t.rooted()
    a, b = t.client(), t.client()
    short = datetime.timedelta(seconds=3)
    path = t.root + "/lease"
    assert a.NonBlockingLease(path, short, identifier="a")
    b.sync("/")
    assert not b.NonBlockingLease(path, short, identifier="b")
    until(lambda: bool(b.NonBlockingLease(path, short, identifier="b")), "the lease to run out")
    several = [bool(a.MultiNonBlockingLease(2, t.root + "/m", datetime.timedelta(hours=1), identifier=str(uuid.uuid4())))
               for _ in range(3)]
    equal(several, [True, True, False])


@case
def a_set_is_divided_among_those_present(t):
    t.rooted()
    items = tuple(range(6))
    a, b = t.client(), t.client()
    parts = [c.SetPartitioner(t.root + "/parts", set=items, time_boundary=0.2, identifier=str(i))
             for i, c in enumerate((a, b))]

    def settle():
        for part in parts:
            if part.state == PartitionState.RELEASE:
                part.release_set()
            elif part.state == PartitionState.ALLOCATING:
                part.wait_for_acquire(0.1)
        mine = [list(p) if p.acquired else [] for p in parts]
        return all(mine) and sorted(sum(mine, [])) == list(items)

    until(settle, "a full division", 25)
    for part in parts:
        part.finish()
