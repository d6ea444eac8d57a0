//! Readings of a state that was made by commands: what is shown to whom, and which change is the newest.

use coordd_api::discovery::{Format, InstanceState, Recipe, ServiceView};
use coordd_proto::{Acl, AuthId, OpCode, Perms, SessionId, Writer, Zxid};
use coordd_tree::{AuthList, Command, MemberRow, Op, Origin, Outcome, SessionOutcome, State};

use super::formats::Paths;
use super::services::Filter;
use super::*;

/// A state at feature level 2 with one session.
struct Rig {
    state: State,
    session: SessionId,
    attach: u32,
    auth: Vec<AuthId>,
    at: i64,
}

impl Rig {
    fn new() -> Rig {
        let mut state = State::new();
        let row = MemberRow { id: 1, voter: true, peer_addr: String::new(), client_addr: String::new() };
        state.apply_membership(Zxid(1), &[row], &mut Vec::new());
        let mut rig = Rig { state, session: SessionId::NONE, attach: 0, auth: Vec::new(), at: 1 };
        rig.apply(Op::RaiseFeatureLevel(2));
        match rig.apply(Op::OpenSession { timeout_ms: 4000, password: [0; 16] }) {
            Outcome::Session(SessionOutcome::Opened(info)) => (rig.session, rig.attach) = (info.id, info.attach),
            other => panic!("{other:?}"),
        }
        rig
    }

    fn apply(&mut self, op: Op) -> Outcome {
        self.at += 1;
        let origin = Origin { member: 1, boot: 1, seq: self.at as u64 - 1 };
        let auth: AuthList = self.auth.iter().collect();
        let command = Command { origin, time_ms: 1, session: self.session, attach: self.attach, auth, op };
        self.state.apply(Zxid(self.at), &command, &mut Vec::new())
    }

    /// Asks for something that succeeds; its zxid.
    fn client(&mut self, op: OpCode, record: impl FnOnce(&mut Writer<'_>)) -> i64 {
        let mut out = bytes::BytesMut::new();
        record(&mut Writer::new(&mut out));
        let outcome = self.apply(Op::Client { op, record: out.freeze() });
        assert!(matches!(outcome, Outcome::Done(Ok(_))), "{outcome:?}");
        self.at
    }

    fn create(&mut self, path: &str, data: &str, flags: i32) -> i64 {
        self.client(OpCode::Create, |out| {
            out.string(path);
            out.buffer(Some(data.as_bytes()));
            Acl::encode_list(&[Acl::world(Perms::ALL)], out);
            out.i32(flags);
        })
    }

    fn set(&mut self, path: &str, data: &str) -> i64 {
        self.client(OpCode::SetData, |out| {
            out.string(path);
            out.buffer(Some(data.as_bytes()));
            out.i32(-1);
        })
    }

    fn delete(&mut self, path: &str) -> i64 {
        self.client(OpCode::Delete, |out| {
            out.string(path);
            out.i32(-1);
        })
    }

    fn grant(&mut self, path: &str, acl: Acl) -> i64 {
        self.client(OpCode::SetAcl, |out| {
            out.string(path);
            Acl::encode_list(&[acl], out);
            out.i32(-1);
        })
    }

    fn look<'a>(&'a self, auth: &'a [AuthId]) -> Look<'a> {
        Look { state: &self.state, auth, bytes_max: BYTES_MAX }
    }

    fn service(&self, path: &str, auth: &[AuthId]) -> ServiceView {
        let found = services::collect(self.look(auth), path, None).unwrap();
        services::view(found, None, &Paths::default(), &Filter::default())
    }
}

fn bob() -> AuthId {
    AuthId::new("digest", "bob:hash")
}

fn for_bob() -> Acl {
    Acl { perms: Perms::ALL, id: bob() }
}

fn curator(address: &str) -> String {
    format!(r#"{{"address":"{address}","port":80,"payload":{{"zone":"{address}"}}}}"#)
}

#[test]
fn the_newest_change_is_that_which_the_answer_shows_and_no_other() {
    let mut rig = Rig::new();
    rig.create("/s", "", 0);
    rig.create("/s/b", &curator("b"), 1);
    let created = rig.create("/s/a", &curator("a"), 1);
    let view = rig.service("/s", &[]);
    let ids: Vec<_> = view.instances.iter().map(|instance| (instance.id.as_str(), instance.since)).collect();
    assert_eq!(
        (view.zxid, ids, view.format),
        (created, vec![("a", created), ("b", created - 1)], Some(Format::Curator))
    );
    rig.create("/other", "", 0);
    assert_eq!(rig.service("/s", &[]).zxid, created);
    let set = rig.set("/s/b", &curator("c"));
    assert_eq!(rig.service("/s", &[]).zxid, set);
    let deleted = rig.delete("/s/b");
    assert_eq!(rig.service("/s", &[]).zxid, deleted);
}

#[test]
fn a_change_of_a_list_changes_the_answer_and_data_behind_it_does_not() {
    let mut rig = Rig::new();
    rig.auth = vec![bob()];
    rig.create("/s", "", 0);
    rig.create("/s/a", &curator("a"), 1);
    let hidden = rig.grant("/s/a", for_bob());
    let view = rig.service("/s", &[]);
    assert_eq!((view.zxid, view.instances.len(), view.format), (hidden, 0, None));
    assert_eq!(view.rejected[0].reason, "the znode may not be read by whoever asks");
    let set = rig.set("/s/a", &curator("b"));
    assert_eq!((rig.service("/s", &[]).zxid, rig.service("/s", &[bob()]).zxid), (hidden, set));
    let shown = rig.grant("/s/a", Acl::world(Perms::READ));
    assert_eq!((rig.service("/s", &[]).zxid, rig.service("/s", &[]).instances.len()), (shown, 1));
    rig.grant("/s", for_bob());
    let refused = services::list(rig.look(&[]), "/s").unwrap_err();
    assert_eq!(refused, Failure::Unreadable { path: "/s".to_owned(), newest: shown + 1 });
}

#[test]
fn filters_choose_among_instances_and_leave_the_rejected_to_be_seen() {
    let mut rig = Rig::new();
    rig.create("/s", "", 0);
    for name in ["a", "b"] {
        rig.create(&format!("/s/{name}"), &curator(name), 1);
    }
    rig.create("/s/bad", "{\"address\":", 1);
    let ids = |filter: Filter| {
        let found = services::collect(rig.look(&[]), "/s", None).unwrap();
        let view = services::view(found, None, &Paths::default(), &filter);
        assert_eq!(view.rejected.len(), 1);
        view.instances.into_iter().map(|instance| instance.id).collect::<String>()
    };
    assert_eq!(ids(Filter::default()), "ab");
    assert_eq!(ids(Filter { zones: vec!["b".to_owned()], ..Filter::default() }), "b");
    assert_eq!(ids(Filter { states: vec![InstanceState::Down], ..Filter::default() }), "");
    let metadata = [("zone".to_owned(), "a".to_owned())].into();
    assert_eq!(ids(Filter { metadata, ..Filter::default() }), "a");
}

#[test]
fn a_dubbo_interface_is_its_providers_and_is_listed_by_its_decoded_name() {
    let mut rig = Rig::new();
    for path in ["/dubbo", "/dubbo/a%24B", "/dubbo/a%24B/providers", "/dubbo/a%24B/consumers"] {
        rig.create(path, "", 0);
    }
    let at = rig.create("/dubbo/a%24B/providers/tri%3A%2F%2F10.0.0.1%3A50051%2Fa%24B", "", 1);
    let view = rig.service("/dubbo/a%24B", &[]);
    assert_eq!((view.format, view.zxid, view.instances[0].ports.get("tri")), (Some(Format::Dubbo), at, Some(&50051)));
    let list = services::list(rig.look(&[]), "/dubbo").unwrap();
    let entry = &list.services[0];
    assert_eq!((entry.name.as_str(), entry.path.as_str(), entry.children), ("a$B", "/dubbo/a%24B", Some(2)));
}

#[test]
fn a_token_grows_with_each_leader_and_is_withheld_where_it_could_fall() {
    let mut rig = Rig::new();
    rig.create("/e", "", 0);
    let first = rig.create("/e/_c_1-latch-", "one", 3);
    let second = rig.create("/e/_c_2-latch-", "two", 3);
    let seen = |rig: &Rig| {
        let view = leader::leader(rig.look(&[]), "/e").unwrap();
        (view.leader.and_then(|leader| leader.id), view.fencing_token)
    };
    assert_eq!(seen(&rig), (Some("one".to_owned()), Some(first)));
    let view = leader::leader(rig.look(&[]), "/e").unwrap();
    assert_eq!((view.recipe, view.candidates.len(), view.zxid), (Some(Recipe::CuratorLatch), 2, second));
    rig.delete("/e/_c_1-latch-0000000000");
    assert_eq!(seen(&rig), (Some("two".to_owned()), Some(second)));
    let forged = rig.create("/e/x-latch-0000000000", "forged", 1);
    assert_eq!(seen(&rig), (Some("forged".to_owned()), None), "clients believe it, and it is no oldest");
    rig.delete("/e/_c_2-latch-0000000001");
    assert_eq!(seen(&rig).1, Some(forged));
    rig.delete("/e/x-latch-0000000000");
    assert_eq!(seen(&rig), (None, None));
}

#[test]
fn a_token_that_is_withheld_since_the_state_was_set_back_is_another_answer() {
    let mut rig = Rig::new();
    rig.create("/e", "", 0);
    rig.create("/s", "", 1);
    let made = rig.create("/e/n_", "", 3);
    let asked = |rig: &Rig, path| leader::leader(rig.look(&[]), path).unwrap();
    let (before, single) = (asked(&rig, "/e"), asked(&rig, "/s"));
    assert_eq!((before.fencing_token, before.zxid, single.fencing_token.is_some()), (Some(made), made, true));
    rig.state.raise_zxid_base(1_000);
    for (path, before) in [("/e", before), ("/s", single)] {
        let after = asked(&rig, path);
        assert_eq!((after.fencing_token, after.zxid, after.leader), (None, 1_000, before.leader));
    }
}

#[test]
fn a_candidate_of_another_recipe_leads_nobody_and_lends_no_token() {
    let mut rig = Rig::new();
    rig.create("/e", "", 0);
    let first = rig.create("/e/a__lock__", "one", 3);
    rig.create("/e/x-latch-", "stranger", 3);
    let view = leader::leader(rig.look(&[]), "/e").unwrap();
    assert_eq!((view.recipe, view.fencing_token), (Some(Recipe::KazooElection), Some(first)));
    let second = rig.create("/e/b__lock__", "two", 3);
    rig.delete("/e/a__lock__0000000000");
    let view = leader::leader(rig.look(&[]), "/e").unwrap();
    assert_eq!((view.recipe, view.candidates.len()), (Some(Recipe::CuratorLatch), 1), "the stranger is the oldest now");
    assert!(view.fencing_token.is_some_and(|token| first < token && token < second));
}

#[test]
fn one_foreign_child_called_providers_hides_no_instance() {
    let mut rig = Rig::new();
    rig.create("/orders", "", 0);
    rig.create("/orders/i-1", r#"{"name":"orders","id":"i-1","address":"10.0.0.1","port":80}"#, 1);
    rig.create("/orders/providers", "", 0);
    let view = rig.service("/orders", &[]);
    assert_eq!((view.format, view.instances.len(), view.rejected.len()), (Some(Format::Json), 1, 1));
}

#[test]
fn each_recipe_is_known_by_its_names_and_one_ephemeral_leads_by_itself() {
    let mut rig = Rig::new();
    let recipe = |rig: &Rig, path: &str| leader::leader(rig.look(&[]), path).unwrap().recipe;
    for (at, name, expected) in [
        ("/a", "_c_9-lock-", Recipe::CuratorSelector),
        ("/b", "d1__lock__", Recipe::KazooElection),
        ("/c", "n_", Recipe::Sequential),
    ] {
        rig.create(at, "", 0);
        assert_eq!(recipe(&rig, at), None);
        rig.create(&format!("{at}/{name}"), "", 3);
        assert_eq!(recipe(&rig, at), Some(expected));
    }
    rig.create("/controller", "{\"brokerid\":0}", 1);
    assert_eq!(recipe(&rig, "/controller"), Some(Recipe::Single));
}

#[test]
fn a_configuration_is_its_leaves_and_says_what_it_leaves_out() {
    let mut rig = Rig::new();
    rig.auth = vec![bob()];
    for (path, data) in [("/c", ""), ("/c/db", ""), ("/c/db/url", "x"), ("/c/empty", ""), ("/c/key", "secret")] {
        rig.create(path, data, 0);
    }
    rig.create("/c/key/below", "hidden", 0);
    let at = rig.grant("/c/key", for_bob());
    rig.set("/c/key/below", "unseen");
    let tree = config::tree(rig.look(&[]), "/c").unwrap();
    assert_eq!(format!("{:?}", tree.values), r#"{"db/url": "x", "empty": ""}"#);
    assert_eq!((tree.zxid, tree.left_out.len(), tree.left_out[0].key.as_str()), (at, 1, "key"));
    for (bytes, media) in [
        (&b" {\"a\":1}"[..], "application/json"),
        (b"{a", "text/plain; charset=utf-8"),
        (b"", "text/plain; charset=utf-8"),
        (b"\xff", "application/octet-stream"),
    ] {
        assert_eq!(config::guess(bytes), media);
    }
}

#[test]
fn what_is_more_than_the_bounds_is_refused_before_it_is_copied() {
    let mut rig = Rig::new();
    rig.create("/big", "", 0);
    let data = "x".repeat(BYTES_MAX / 4);
    for n in 0..5 {
        rig.create(&format!("/big/{n}"), &data, 0);
    }
    let too_large = Failure::TooLarge { path: "/big".to_owned(), limit: BYTES_MAX };
    assert_eq!(config::tree(rig.look(&[]), "/big").unwrap_err(), too_large);
    assert_eq!(rig.service("/big", &[]).rejected.len(), 5, "a registration is never copied beyond its own bound");
}

#[test]
fn what_is_not_there_is_as_new_as_the_nearest_ancestor_that_may_be_read() {
    let mut rig = Rig::new();
    rig.auth = vec![bob()];
    let absent = |rig: &Rig, path: &str| match znodes::znode(rig.look(&[]), path) {
        Err(Failure::NoZnode { newest, hidden, .. }) => (newest, hidden),
        other => panic!("{other:?}"),
    };
    let made = rig.create("/a", "", 0);
    assert_eq!((absent(&rig, "/x/y"), absent(&rig, "/a/b/c")), ((made, false), (made, false)));
    let between = rig.create("/a/b", "", 0);
    assert_eq!((absent(&rig, "/a/b/c"), absent(&rig, "/x/y")), ((between, false), (made, false)));
    let below = rig.create("/a/b/c", "", 0);
    let gone = rig.delete("/a/b/c");
    assert!(below < gone && absent(&rig, "/a/b/c") == (gone, false));
    rig.grant("/a/b", for_bob());
    assert_eq!(absent(&rig, "/a/b/c"), (between, true), "what a hidden znode knows is not told");
}

#[test]
fn the_usage_of_a_quota_is_as_new_as_the_state() {
    let mut rig = Rig::new();
    for path in ["/q", "/zookeeper/quota/q", "/zookeeper/quota/q/zookeeper_limits"] {
        rig.create(path, "count=10", 0);
    }
    let stats = "/zookeeper/quota/q/zookeeper_stats";
    rig.create(stats, "", 0);
    let seen = |rig: &Rig| znodes::znode(rig.look(&[]), stats).unwrap();
    let before = seen(&rig);
    let at = rig.create("/q/one", "12", 0);
    assert_eq!((seen(&rig).zxid, seen(&rig).data == before.data), (at, false));
    rig.create("/zookeeper_stats", "", 0);
    let elsewhere = znodes::znode(rig.look(&[]), "/zookeeper_stats").unwrap().zxid;
    rig.create("/other", "", 0);
    assert_eq!(znodes::znode(rig.look(&[]), "/zookeeper_stats").unwrap().zxid, elsewhere);
}

#[test]
fn names_take_room_whether_or_not_their_znodes_may_be_read() {
    let mut rig = Rig::new();
    rig.auth = vec![bob()];
    rig.create("/s", "", 0);
    let name = format!("/s/{}", "x".repeat(1000));
    rig.create(&name, "secret", 0);
    rig.grant(&name, for_bob());
    let look = Look { bytes_max: 1000, ..rig.look(&[]) };
    let too_large = Some(Failure::TooLarge { path: "/s".to_owned(), limit: 1000 });
    assert_eq!(services::collect(look, "/s", None).err(), too_large);
    assert_eq!(services::list(look, "/s").err(), too_large);
    assert!(services::collect(Look { bytes_max: 1003, ..look }, "/s", None).is_ok());
}
