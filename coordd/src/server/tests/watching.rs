//! Watches over the wire: left, fired, filtered, asked for, taken away, armed again.

use coordd_proto::{Acl, AuthId, ErrorCode, OpCode, Perms, Writer, Zxid};
use coordd_tree::{Command, Op, Origin};

use super::support::{Client, Member, create_with, delete, read};
use crate::server::digest_id;

const CREATED: i32 = 1;
const DELETED: i32 = 2;
const CHANGED: i32 = 3;
const CHILDREN: i32 = 4;

fn path_and(w: &mut Writer<'_>, path: &str, number: i32) {
    w.string(path);
    w.i32(number);
}

fn set_watches(w: &mut Writer<'_>, since: i64, lists: &[&[&str]]) {
    w.i64(since);
    for list in lists {
        w.count(list.len());
        list.iter().for_each(|path| w.string(path));
    }
}

async fn event(c: &mut Client) -> (i32, String) {
    c.got().await.event()
}

#[tokio::test]
async fn exists_leaves_its_watch_on_a_missing_znode_and_get_data_does_not() {
    let member = Member::start().await;
    let (mut c, mut w) = (member.client().await, member.client().await);
    assert_eq!(c.ask(1, OpCode::GetData, |r| read(r, "/a", true)).await.code(), Some(ErrorCode::NoNode));
    w.create(1, "/a", b"").await;
    w.ask(2, OpCode::Delete, |r| delete(r, "/a")).await;
    assert!(c.raw.is_quiet().await);
    assert_eq!(c.ask(2, OpCode::Exists, |r| read(r, "/a", true)).await.code(), Some(ErrorCode::NoNode));
    w.create(3, "/a", b"").await;
    assert_eq!(event(&mut c).await, (CREATED, "/a".to_owned()));
}

#[tokio::test]
async fn exists_on_what_one_may_not_read_leaves_no_watch() {
    let member = Member::start().await;
    let (mut c, mut w) = (member.client().await, member.client().await);
    let nobody = [Acl { perms: Perms::ALL, id: AuthId::new("ip", "10.9.9.9") }];
    w.ask(1, OpCode::Create, |r| create_with(r, "/a", b"", 0, &nobody)).await;
    assert_eq!(c.ask(1, OpCode::Exists, |r| read(r, "/a", true)).await.code(), Some(ErrorCode::NoAuth));
    assert_eq!(c.ask(2, OpCode::CheckWatches, |r| path_and(r, "/a", 3)).await.code(), Some(ErrorCode::NoWatcher));
}

#[tokio::test]
async fn an_event_about_what_one_may_not_read_is_dropped_and_its_watch_used_up() {
    let member = Member::start().await;
    let (mut c, mut w) = (member.client().await, member.client().await);
    // A watch may be left on a missing path by anyone; the znode then appears under an ACL that shuts the watcher out.
    c.ask(1, OpCode::Exists, |r| read(r, "/a", true)).await;
    w.ask(1, OpCode::Auth, |r| auth(r, "bob:secret")).await;
    let bob = [Acl { perms: Perms::ALL, id: AuthId::new("digest", digest_id("bob:secret")) }];
    let sent = member.hub.metrics.packets_sent.get();
    assert_eq!(w.ask(2, OpCode::Create, |r| create_with(r, "/a", b"", 0, &bob)).await.err, 0);
    assert!(c.raw.is_quiet().await);
    let counted = (member.hub.metrics.packets_sent.get() - sent, member.hub.metrics.watch_bytes.get());
    assert_eq!(counted, (1, 0), "only the answer to the writer was sent");
    assert_eq!(c.ask(2, OpCode::CheckWatches, |r| path_and(r, "/a", 3)).await.code(), Some(ErrorCode::NoWatcher));
}

#[tokio::test]
async fn an_event_needs_read_of_what_was_deleted_or_of_the_parent_whose_children_changed() {
    let member = Member::start().await;
    let (mut c, mut w) = (member.client().await, member.client().await);
    w.ask(1, OpCode::Auth, |r| auth(r, "bob:secret")).await;
    let bob = [Acl { perms: Perms::ALL, id: AuthId::new("digest", digest_id("bob:secret")) }];
    for path in ["/gone", "/parent", "/open"] {
        w.create(2, path, b"").await;
    }
    c.ask(1, OpCode::GetData, |r| read(r, "/gone", true)).await;
    c.ask(2, OpCode::GetChildren, |r| read(r, "/parent", true)).await;
    c.ask(3, OpCode::GetChildren, |r| read(r, "/open", true)).await;
    for path in ["/gone", "/parent"] {
        let shut = w.ask(3, OpCode::SetAcl, |r| {
            r.string(path);
            Acl::encode_list(&bob, r);
            r.i32(-1);
        });
        assert_eq!(shut.await.err, 0);
    }
    w.ask(4, OpCode::Delete, |r| delete(r, "/gone")).await;
    w.create(5, "/parent/kid", b"").await;
    w.ask(6, OpCode::Create, |r| create_with(r, "/open/secret", b"", 0, &bob)).await;
    assert_eq!(event(&mut c).await, (CHILDREN, "/open".to_owned()), "the parent's ACL counts, not the child's");
    assert!(c.raw.is_quiet().await);
    for (xid, path) in [(4, "/gone"), (5, "/parent")] {
        let asked = c.ask(xid, OpCode::CheckWatches, |r| path_and(r, path, 3)).await;
        assert_eq!(asked.code(), Some(ErrorCode::NoWatcher), "the watch of {path} is used up");
    }
}

fn auth(w: &mut Writer<'_>, user: &str) {
    w.i32(0);
    w.string("digest");
    w.buffer(Some(user.as_bytes()));
}

#[tokio::test]
async fn a_recursive_watch_hears_of_children_and_never_of_lists_of_children() {
    let member = Member::start().await;
    let (mut c, mut w) = (member.client().await, member.client().await);
    let added = c.ask(1, OpCode::AddWatch, |r| path_and(r, "/", 1)).await;
    assert_eq!((added.err, &added.body[..]), (0, &[0; 4][..]));
    w.create(1, "/a", b"").await;
    w.create(2, "/a/b", b"").await;
    w.set(3, "/a/b", b"x").await;
    w.ask(4, OpCode::Delete, |r| delete(r, "/a/b")).await;
    for expected in [(CREATED, "/a"), (CREATED, "/a/b"), (CHANGED, "/a/b"), (DELETED, "/a/b")] {
        assert_eq!(event(&mut c).await, (expected.0, expected.1.to_owned()));
    }
    assert!(c.raw.is_quiet().await);
}

#[tokio::test]
async fn watches_are_asked_for_and_taken_away_by_their_exact_type() {
    let member = Member::start().await;
    let mut c = member.client().await;
    c.ask(1, OpCode::GetChildren, |r| read(r, "/", true)).await;
    let no_watcher = Some(ErrorCode::NoWatcher);
    assert_eq!(c.ask(2, OpCode::CheckWatches, |r| path_and(r, "/", 2)).await.code(), no_watcher);
    assert_eq!(c.ask(3, OpCode::CheckWatches, |r| path_and(r, "/", 1)).await.err, 0);
    assert_eq!(c.ask(4, OpCode::RemoveWatches, |r| path_and(r, "/", 4)).await.code(), no_watcher);
    assert_eq!(c.ask(5, OpCode::RemoveWatches, |r| path_and(r, "/", 3)).await.err, 0);
    assert_eq!(c.ask(6, OpCode::RemoveWatches, |r| path_and(r, "/", 3)).await.code(), no_watcher);
    assert_eq!(c.ask(7, OpCode::CheckWatches, |r| path_and(r, "/", 9)).await.code(), Some(ErrorCode::MarshallingError));
}

#[tokio::test]
async fn set_watches_tells_at_once_what_was_missed_and_arms_the_rest() {
    let member = Member::start().await;
    let (mut c, mut w) = (member.client().await, member.client().await);
    let kept = w.create(1, "/kept", b"").await.zxid;
    w.create(2, "/changed", b"").await;
    w.create(3, "/there", b"").await;
    let lists: [&[&str]; 5] = [&["/kept", "/changed", "/gone"], &["/there", "/missing"], &["/kept"], &[], &["/r"]];
    c.send(-8, OpCode::SetWatches2, |r| set_watches(r, kept, &lists)).await;
    let mut missed = Vec::new();
    for _ in 0..3 {
        let got = c.got().await;
        assert_eq!(got.zxid, -1);
        missed.push(got.event());
    }
    let expected = [(CHANGED, "/changed"), (DELETED, "/gone"), (CREATED, "/there")];
    assert_eq!(missed, expected.map(|(kind, path)| (kind, path.to_owned())));
    let done = c.got().await;
    assert_eq!((done.xid, done.err, done.body.len()), (-8, 0, 0));
    w.set(4, "/kept", b"x").await;
    w.create(5, "/missing", b"").await;
    w.create(6, "/r", b"").await;
    w.create(7, "/kept/child", b"").await;
    for expected in [(CHANGED, "/kept"), (CREATED, "/missing"), (CREATED, "/r"), (CHILDREN, "/kept")] {
        assert_eq!(event(&mut c).await, (expected.0, expected.1.to_owned()));
    }
}

#[tokio::test]
async fn set_watches_tells_of_children_that_came_and_of_parents_that_went() {
    let member = Member::start().await;
    let (mut c, mut w) = (member.client().await, member.client().await);
    for path in ["/grown", "/same", "/set"] {
        w.create(1, path, b"").await;
    }
    let since = w.create(2, "/gone", b"").await.zxid;
    w.create(3, "/grown/kid", b"").await;
    w.set(4, "/set", b"x").await;
    w.ask(5, OpCode::Delete, |r| delete(r, "/gone")).await;
    let lists: [&[&str]; 3] = [&[], &[], &["/grown", "/same", "/set", "/gone"]];
    c.send(-8, OpCode::SetWatches, |r| set_watches(r, since, &lists)).await;
    for expected in [(CHILDREN, "/grown"), (DELETED, "/gone")] {
        let got = c.got().await;
        assert_eq!((got.event(), got.zxid), ((expected.0, expected.1.to_owned()), -1));
    }
    assert_eq!(c.got().await.xid, -8);
    w.create(6, "/same/kid", b"").await;
    w.create(7, "/set/kid", b"").await;
    w.create(8, "/grown/other", b"").await;
    assert_eq!(event(&mut c).await, (CHILDREN, "/same".to_owned()));
    assert_eq!(event(&mut c).await, (CHILDREN, "/set".to_owned()), "data is no matter of its children");
    assert!(c.raw.is_quiet().await, "what was told is not armed again");
}

#[tokio::test]
async fn the_end_of_a_session_fires_the_watches_of_its_ephemerals() {
    let member = Member::start().await;
    let (mut c, mut w) = (member.client().await, member.client().await);
    w.ask(1, OpCode::Create, |r| super::support::create(r, "/e", b"", 1)).await;
    c.ask(1, OpCode::GetData, |r| read(r, "/e", true)).await;
    c.ask(2, OpCode::GetChildren, |r| read(r, "/", true)).await;
    let closed = w.ask(2, OpCode::CloseSession, |_| {}).await;
    let got = c.got().await;
    assert_eq!((got.event(), got.zxid), ((DELETED, "/e".to_owned()), closed.zxid));
    assert_eq!(event(&mut c).await, (CHILDREN, "/".to_owned()));
}

#[tokio::test]
async fn an_installed_snapshot_fires_what_it_changed_and_sends_persistent_watchers_away() {
    let member = Member::start().await;
    let (mut c, mut p, mut w) = (member.client().await, member.client().await, member.client().await);
    w.create(1, "/a", b"").await;
    w.create(2, "/same", b"").await;
    c.ask(1, OpCode::GetData, |r| read(r, "/a", true)).await;
    c.ask(2, OpCode::GetData, |r| read(r, "/same", true)).await;
    p.ask(1, OpCode::AddWatch, |r| path_and(r, "/", 1)).await;
    member.double.replace_state(|state| {
        let (boot, seq) = state.origin_last(1).unwrap();
        let mut record = bytes::BytesMut::new();
        super::support::set(&mut Writer::new(&mut record), "/a", b"x");
        let command = Command {
            origin: Origin { member: 1, boot, seq: seq + 1 },
            time_ms: 1,
            session: w.session,
            attach: 1,
            auth: Default::default(),
            op: Op::Client { op: OpCode::SetData, record: record.freeze() },
        };
        state.apply(Zxid(state.last_zxid().0 + 1), &command, &mut Vec::new());
    });
    let got = c.got().await;
    assert_eq!((got.event(), got.zxid), ((CHANGED, "/a".to_owned()), -1));
    assert!(c.raw.is_quiet().await);
    assert!(p.raw.is_closed().await);
}

#[tokio::test]
async fn every_one_of_many_watchers_is_told_once() {
    let member = Member::with(|config| config.max_connections_per_address = 0).await;
    let mut w = member.client().await;
    w.create(1, "/a", b"").await;
    let mut watchers = Vec::new();
    for _ in 0..200 {
        let mut c = member.client().await;
        c.ask(1, OpCode::GetData, |r| read(r, "/a", true)).await;
        watchers.push(c);
    }
    w.set(2, "/a", b"x").await;
    for c in &mut watchers {
        assert_eq!(event(c).await, (CHANGED, "/a".to_owned()));
    }
}

#[tokio::test]
async fn several_watches_of_one_client_on_one_path_are_one_event() {
    let member = Member::start().await;
    let (mut c, mut w) = (member.client().await, member.client().await);
    w.create(1, "/a", b"").await;
    c.ask(1, OpCode::GetData, |r| read(r, "/a", true)).await;
    c.ask(2, OpCode::Exists, |r| read(r, "/a", true)).await;
    c.ask(3, OpCode::GetChildren, |r| read(r, "/a", true)).await;
    c.ask(4, OpCode::AddWatch, |r| path_and(r, "/a", 0)).await;
    w.ask(2, OpCode::Delete, |r| delete(r, "/a")).await;
    assert_eq!(event(&mut c).await, (DELETED, "/a".to_owned()));
    assert!(c.raw.is_quiet().await);
}

#[tokio::test]
async fn a_watch_goes_with_its_connection() {
    let member = Member::start().await;
    let (mut c, mut w) = (member.client().await, member.client().await);
    w.create(1, "/a", b"").await;
    c.ask(1, OpCode::GetData, |r| read(r, "/a", true)).await;
    let mut again = member.attach(c.session, c.password).await.unwrap();
    assert!(c.raw.is_closed().await);
    w.set(2, "/a", b"x").await;
    assert!(again.raw.is_quiet().await);
    assert_eq!(again.ask(1, OpCode::CheckWatches, |r| path_and(r, "/a", 3)).await.code(), Some(ErrorCode::NoWatcher));
}
