"""What is in the tree is on the page, and what changes changes there."""

import json

from browser import Tab
from harness import case, control, equal, until
from kazoo.security import make_acl, make_digest_acl

HTTP_ABOVE_CLIENT = 20


def ports(t):
    return [int(host.rsplit(":", 1)[1]) for host in t.hosts.split(",")]


def page(t, place="", member=0):
    return f"http://127.0.0.1:{ports(t)[member] + HTTP_ABOVE_CLIENT}/#{place}"


def curator(name, instance, address, port):
    return json.dumps({
        "name": name, "id": instance, "address": address, "port": port, "sslPort": None, "payload": None,
        "registrationTimeUTC": 1, "serviceType": "DYNAMIC", "uriSpec": None, "enabled": True,
    }).encode()


@case
def all_members_are_shown_and_who_leads(t):
    leader = ports(t).index(int(control("leader"))) + 1
    with Tab() as tab:
        tab.open(page(t))
        tab.reads("#ensemble", "m1 · this one", *(f"m{i + 1}" for i in range(len(ports(t)))))
        tab.reads("#ensemble .leader", f"m{leader}", "leader in term")
        tab.reads("#serving", "serving")
        tab.reads("#zxid", "zxid ")
        tab.reads("#line", "live")
        equal(tab.script("return document.title"), "m1 · coordd")
        equal(tab.complaints(), [])
        tab.picture("ensemble")


@case
def a_znode_that_changes_is_seen_to_change(t):
    zk = t.rooted()
    zk.set(t.root, b'{"colour":"red"}')
    with Tab() as tab:
        tab.open(page(t, "znode" + t.root))
        tab.reads("#view pre", '"colour": "red"')
        tab.reads("#view dl", "version 1", "none: it stays")
        tab.script("window.since = 'the beginning'")
        zk.set(t.root, b"plain words")
        tab.reads("#view pre", "plain words", without=["red"])
        tab.reads("#view dl", "version 2")
        zk.set(t.root, bytes(range(256)))
        tab.reads("#view pre", "000000  00 01 02", "0000f0  f0 f1")
        zk.delete(t.root)
        tab.reads("#view", "There is no such znode")
        zk.create(t.root, b"again")
        tab.reads("#view pre", "again")
        equal(tab.script("return window.since"), "the beginning")
        tab.picture("znode")


@case
def children_come_and_go_and_are_filtered(t):
    zk = t.rooted()
    for i in range(600):
        zk.create_async(f"{t.root}/child-{i:03}")
    zk.create(t.root + "/orders", ephemeral=True)
    with Tab() as tab:
        tab.open(page(t, "znode" + t.root))
        tab.reads("#children", "child-000", "601 in all, the first 500", without=["orders"])
        tab.press("#filter", "ord")
        tab.reads("#children", "orders", "1 of 601", without=["child-000"])
        zk.create(t.root + "/borders")
        tab.reads("#children", "borders", "2 of 602")
        tab.click("#children a[data-key=orders]")
        tab.reads("#view dl", "session 0x")
        tab.reads("#crumbs", "orders")
        equal(tab.script("return location.hash"), f"#znode{t.root}/orders")
        tab.script("history.back()")
        tab.reads("#children", "child-000")


@case
def a_services_instances_are_shown_with_those_rejected_and_one_that_dies_goes(t):
    zk, other = t.rooted(), t.client()
    base = t.root + "/orders"
    zk.create(base)
    zk.create(base + "/a", curator("orders", "a", "10.0.0.1", 8080), ephemeral=True)
    other.create(base + "/b", curator("orders", "b", "10.0.0.2", 8081), ephemeral=True)
    zk.create(base + "/c", b'{"name": "orders", "id": 7}')
    with Tab() as tab:
        tab.open(page(t, "service" + t.root))
        tab.reads("#view", "Services below", "orders")
        tab.click("#view table[aria-label='Services below'] a")
        tab.reads("#view table[aria-label=Instances]", "10.0.0.1", "default 8080", "10.0.0.2", "up")
        tab.reads("#view", "2 registered as curator", "Rejected (1)")
        tab.picture("service")
        other.stop()
        tab.reads("#view", "1 registered as curator", without=["10.0.0.2"])
        tab.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        tab.picture("service-dark")


@case
def an_elections_leader_is_shown_and_who_comes_after(t):
    zk, other = t.rooted(), t.client()
    zk.create(t.root + "/x__lock__0000000000", b"ann", ephemeral=True)
    other.create(t.root + "/y__lock__0000000001", b"bob", ephemeral=True)
    with Tab() as tab:
        tab.open(page(t, "leader" + t.root))
        tab.reads("#view .big", "ann leads")
        tab.reads("#view", "kazoo_election", "Fencing token", "bob")
        tab.picture("leader")
        zk.stop()
        tab.reads("#view .big", "bob leads")


@case
def configuration_is_shown_as_keys_and_values(t):
    zk = t.rooted()
    zk.create(t.root + "/db/url", b"postgres://db/orders", makepath=True)
    zk.create(t.root + "/key", b"\xff\xfe")
    with Tab() as tab:
        tab.open(page(t, "config" + t.root))
        tab.reads("#view table[aria-label=Values]", "db/url", "postgres://db/orders")
        tab.reads("#view table[aria-label='Left out']", "key")
        zk.set(t.root + "/db/url", b"postgres://other/orders")
        tab.reads("#view", "postgres://other/orders")
        tab.picture("config")


@case
def what_strangers_wrote_is_text_and_runs_nowhere(t):
    zk = t.rooted()
    evil = "<img src=x onerror=alert(1)>\"'&%2F"
    script = b"<script>document.title='had'</script><b>bold</b>"
    zk.create(f"{t.root}/{evil}", script)
    with Tab() as tab:
        tab.open(page(t, "znode" + t.root))
        tab.reads("#children", evil)
        tab.click("#children a")
        tab.reads("#view pre", script.decode())
        tab.reads("#crumbs", evil)
        for view in ("service", "leader", "config"):
            tab.click(f"#views a[href^='#{view}/']")
            tab.reads("#view", *{"service": ["No instances"], "leader": ["Nobody"], "config": ["<b>bold</b>"]}[view])
        equal(tab.script("return document.title"), "m1 · coordd")
        equal(tab.complaints(), [])


@case
def who_logs_in_sees_what_is_not_for_everyone(t):
    zk = t.rooted()
    acl = [make_digest_acl("ann", "s:crét", read=True), make_acl("world", "anyone", delete=True)]
    zk.create(t.root + "/secret", b"for ann", acl=acl)
    with Tab() as tab:
        tab.open(page(t, f"znode{t.root}/secret"))
        tab.reads("#view", "The znode may not be read", without=["for ann"])
        tab.click("#login summary")
        tab.press("#login [name=user]", "ann")
        tab.press("#login [name=password]", "s:crét")
        tab.click("#login button")
        tab.reads("#view pre", "for ann")
        tab.reads("#login summary", "ann")
        equal(tab.script("return document.cookie + JSON.stringify(localStorage) + location.href.includes('crét')"), "{}false")


@case
def a_member_that_dies_is_told_and_its_return_too(t):
    zk = t.rooted()
    zk.set(t.root, b"before")
    last = len(ports(t)) - 1
    with Tab() as tab:
        tab.open(page(t, "znode" + t.root, member=last))
        tab.reads("#view pre", "before")
        control(f"kill {ports(t)[last]}")
        tab.reads("#line", "may be old")
        tab.picture("dead")
        control(f"start {ports(t)[last]}")
        until(lambda: zk.retry(zk.set, t.root, b"after"), "the ensemble takes writes again")
        tab.reads("#line", "live")
        tab.reads("#view pre", "after")
