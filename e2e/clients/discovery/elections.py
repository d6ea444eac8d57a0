"""Who leads, as Curator's LeaderLatch and LeaderSelector and kazoo's Election write it down."""

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


def are(t, path, *names):
    """The election at `path` once those stand, in that order."""
    def stand():
        return [one["id"] for one in leader(t, path)[1]["candidates"]] == list(names)
    until(stand, f"{names} stand, in that order", 30)
    who, view = leader(t, path)
    equal((who, view["recipe"]), (names[0], "curator_selector"))
    starts = [one["since"] for one in view["candidates"]]
    equal((starts, view["fencing_token"]), (sorted(set(starts)), starts[0]))
    return view


@case
def curators_selector_is_led_by_the_first_until_it_lets_go_or_dies(t):
    t.rooted()
    with curator(t, "select", t.root, "ann") as ann:
        ann.says("ann leads", lambda line: line == "leads")
        with curator(t, "select", t.root, "bob") as bob:
            are(t, t.root, "ann", "bob")
            with curator(t, "select", t.root, "cid") as cid:
                first = are(t, t.root, "ann", "bob", "cid")
                ann.is_told("let go")
                bob.says("bob leads", lambda line: line == "leads")
                second = are(t, t.root, "bob", "cid", "ann")
                bob.kill()
                cid.says("cid leads", lambda line: line == "leads")
                third = are(t, t.root, "cid", "ann")
        ann.says("ann leads anew", lambda line: line == "leads")
        fourth = are(t, t.root, "ann")
    tokens = [view["fencing_token"] for view in (first, second, third, fourth)]
    equal(tokens, sorted(set(tokens)))


curators_selector_is_led_by_the_first_until_it_lets_go_or_dies.seconds = 90


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
