"""Who leads, as Curator's LeaderLatch and kazoo's Election write it down."""

import threading

from harness import case, equal, until
from world import ask, curator


def leader(t, path):
    view = ask(t, "/v1/leader" + path)
    return view["leader"] and view["leader"]["id"], view


@case
def curators_latch_is_led_by_the_first_and_after_it_by_the_next(t):
    t.rooted()
    with curator(t, "lead", t.root, "ann") as ann:
        ann.says("ann leads", lambda line: line == "leads")
        with curator(t, "lead", t.root, "bob") as bob:
            until(lambda: len(leader(t, t.root)[1]["candidates"]) == 2, "both stand")
            who, first = leader(t, t.root)
            equal((who, first["recipe"]), ("ann", "curator_latch"))
            equal([c["id"] for c in first["candidates"]], ["ann", "bob"])
            ann.kill()
            bob.says("bob leads", lambda line: line == "leads")
            who, then = leader(t, t.root)
            equal((who, len(then["candidates"])), ("bob", 1))
            assert then["fencing_token"] > first["fencing_token"], (first, then)


@case
def kazoos_election_is_led_by_the_first_and_after_it_by_the_next(t):
    t.rooted()
    ends = {name: threading.Event() for name in ("ann", "bob")}
    leads = {name: threading.Event() for name in ends}

    def stand(name):
        client = t.client()

        def lead():
            leads[name].set()
            ends[name].wait(30)
        threading.Thread(target=client.Election(t.root, name).run, args=(lead,), daemon=True).start()

    stand("ann")
    assert leads["ann"].wait(15)
    stand("bob")
    until(lambda: len(leader(t, t.root)[1]["candidates"]) == 2, "both stand")
    who, first = leader(t, t.root)
    equal((who, first["recipe"]), ("ann", "kazoo_election"))
    ends["ann"].set()
    assert leads["bob"].wait(15)
    until(lambda: leader(t, t.root)[0] == "bob", "the API tells that bob leads")
    assert leader(t, t.root)[1]["fencing_token"] > first["fencing_token"]
    ends["bob"].set()
    until(lambda: leader(t, t.root)[0] is None, "nobody leads")
