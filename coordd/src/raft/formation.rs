//! How an ensemble comes to be, exactly once (design D9).
//!
//! ```text
//!   static list, all members started with it:
//!     lowest name ─ probe ─► everyone: "empty, same list"?  ─ all yes ─► writes its own marker, orders the others to
//!     adopt theirs, then initializes Raft with everyone's disk ids
//!   without a list: waits to be bootstrapped, or adopted by the leader of a formed ensemble (`coordd admin add`)
//! ```
//!
//! Rule: an empty disk, a DNS answer or an unreachable peer never forms an ensemble; one look at a member with a log
//! ends the attempt. Reason: two ensembles under one name lose data. A crash at any point is resumed by the same steps:
//! the marker names the ensemble before anyone else hears of it, and adoption is idempotent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::sleep;

use super::peer::call::{Adoption, Answer, Call, Probed};
use super::peer::frame::{self, Kind};
use super::peer::hello::LinkKind;
use super::peer::link::Link;
use super::peer::{Identity, Local};
use super::types::{Node, NodeId};

/// What is wrong with a disk that has a log and no identity.
pub(crate) const LOG_OF_NOBODY: &str = "this disk holds a log and no identity, so it was a member of an ensemble that \
     is not known any more; empty the directory first";
const PROBE_EVERY: Duration = Duration::from_millis(200);
/// How often a member is ordered to join before whoever founds the ensemble is told.
const ORDERS_MAX: u32 = 50;

/// The members that a static ensemble was started with: name → peer address, in order of name.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct StaticList(pub BTreeMap<String, String>);

impl StaticList {
    /// The same for every member that was started with the same list, in whatever order.
    pub fn canonical(&self) -> String {
        self.0.iter().map(|(name, address)| format!("{name}={address}")).collect::<Vec<_>>().join(",")
    }
}

/// Asks one question of whoever lives at `address`, member or not.
pub(crate) async fn ask(address: &str, local: &Local, call: &Call) -> Result<Answer, String> {
    let fail = |error: &dyn std::fmt::Display| format!("{address}: {error}");
    let mut link = Link::dial(address, local, None, LinkKind::Control).await.map_err(|error| fail(&error))?;
    let mut out = bytes::BytesMut::new();
    frame::put(&mut out, Kind::Call, 1, &serde_json::to_vec(call).unwrap_or_default());
    link.send(&mut out).await.map_err(|error| fail(&error))?;
    let answer = link.read().await.and_then(|frame| frame.expect(Kind::Answer)).map_err(|error| fail(&error))?;
    match serde_json::from_slice(&answer).map_err(|error| fail(&error))? {
        Answer::Failed(why) => Err(why),
        answer => Ok(answer),
    }
}

pub(crate) async fn probe(address: &str, local: &Local) -> Result<Probed, String> {
    match ask(address, local, &Call::Probe).await? {
        Answer::Probe(probed) => Ok(probed),
        other => Err(format!("{address}: asked who it is, answered {other:?}")),
    }
}

/// What a look at all listed members says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// Everyone is empty and agrees; by name.
    Agreed(BTreeMap<String, Probed>),
    /// Somebody is part of a formed ensemble already: this disk has no part in forming one.
    /// `admins` are the admin ports of all that are.
    Formed { by: String, ensemble_id: String, admins: Vec<String> },
    /// What must be put right before it can be formed.
    Differs(String),
    /// Why not yet.
    Waiting(String),
}

/// Judges the answers of all listed members, this one's own among them.
pub(crate) fn judge(
    expected_list: &str,
    answers: BTreeMap<String, Result<Probed, String>>,
    mine: Option<&str>,
) -> Outlook {
    let mut agreed = BTreeMap::new();
    let (mut differs, mut waiting) = (None, None);
    let formed = |probed: &&Probed| probed.has_log && !probed.admin_addr.is_empty();
    let admins: BTreeSet<String> =
        answers.values().flatten().filter(formed).map(|probed| probed.admin_addr.clone()).collect();
    for (name, answer) in answers {
        match answer {
            Err(why) => waiting = Some(format!("member {name} does not answer: {why}")),
            Ok(probed) => {
                let ensemble = probed.identity.as_ref().map(|identity| identity.ensemble_id.clone());
                if probed.has_log {
                    return Outlook::Formed {
                        by: name,
                        ensemble_id: ensemble.unwrap_or_default(),
                        admins: admins.into_iter().collect(),
                    };
                }
                if let Some(other) = ensemble.filter(|id| Some(id.as_str()) != mine) {
                    waiting = Some(format!("member {name} joined ensemble {other}, which is not formed yet"));
                }
                if probed.ensemble_list != expected_list {
                    let theirs = &probed.ensemble_list;
                    differs = Some(format!("member {name} was started with another list of members: {theirs:?}"));
                }
                if probed.name != name {
                    differs = Some(lives_elsewhere(&probed.peer_addr, &probed.name, &name));
                }
                agreed.insert(name, probed);
            }
        }
    }
    match (differs, waiting) {
        (Some(what), _) => Outlook::Differs(what),
        (None, Some(why)) => Outlook::Waiting(why),
        (None, None) => Outlook::Agreed(agreed),
    }
}

/// What is wrong with a list that has `wanted` at an address where `found` lives.
pub(crate) fn lives_elsewhere(address: &str, found: &str, wanted: &str) -> String {
    format!("at {address} lives {found}, not {wanted}")
}

/// One look at all listed members. `own` is what this member says of itself.
pub(crate) async fn look(list: &StaticList, name: &str, local: &Local, own: impl Fn() -> Probed) -> Outlook {
    let mut answers = BTreeMap::new();
    for (member, address) in &list.0 {
        let answer = if member == name { Ok(own()) } else { probe(address, local).await };
        answers.insert(member.clone(), answer);
    }
    let mine = local.identity().map(|identity| identity.ensemble_id);
    judge(&own().ensemble_list, answers, mine.as_deref())
}

/// Looks at all listed members until they agree or one is found to be formed.
pub(crate) async fn agree(
    list: &StaticList,
    name: &str,
    local: &Local,
    own: impl Fn() -> Probed,
    mut report: impl FnMut(&str),
) -> Outlook {
    loop {
        match look(list, name, local, &own).await {
            Outlook::Waiting(why) | Outlook::Differs(why) => report(&why),
            outlook => return outlook,
        }
        sleep(PROBE_EVERY).await;
    }
}

/// The Raft membership that agreed members start with: ids 1, 2, … in order of name.
pub(crate) fn first_members(agreed: &BTreeMap<String, Probed>) -> BTreeMap<NodeId, Node> {
    (1..).zip(agreed).map(|(id, (name, probed))| (id, node_of(name, probed))).collect()
}

pub(crate) fn node_of(name: &str, probed: &Probed) -> Node {
    Node {
        name: name.to_owned(),
        disk_id: probed.disk_id.clone(),
        peer_addr: probed.peer_addr.clone(),
        client_addr: probed.client_addr.clone(),
        http_addr: probed.http_addr.clone(),
        in_place_of: None,
    }
}

/// Orders every other member to adopt its identity; repeats while one does not answer or refuses, but not for ever: it
/// may have been founded by someone else meanwhile.
///
/// # Errors
/// Who has not joined, and why.
pub(crate) async fn order_adoption(
    ensemble_id: &str,
    me: &str,
    members: &BTreeMap<NodeId, Node>,
    local: &Local,
) -> Result<(), String> {
    for (&node_id, node) in members.iter().filter(|(_, node)| node.name != me) {
        let adoption = Adoption { ensemble_id: ensemble_id.to_owned(), node_id, disk_id: node.disk_id.clone() };
        let mut attempts = 0;
        while let Err(why) = ask(&node.peer_addr, local, &Call::Adopt(adoption.clone())).await {
            attempts += 1;
            if attempts == ORDERS_MAX {
                return Err(format!("member {} has not joined the new ensemble: {why}", node.name));
            }
            tracing::warn!(member = node.name, %why, "member has not joined the new ensemble; asking again");
            sleep(PROBE_EVERY).await;
        }
    }
    Ok(())
}

/// Whether a member may become what it is ordered to; the identity to write down. `has_log`: its disk holds a part of
/// consensus, so without an identity it was a member of nobody knows what, and entries of that would pass for the new
/// one's.
///
/// # Errors
/// Why not, in words for whoever gave the order.
pub(crate) fn adopt(
    present: Option<&Identity>,
    disk_id: &str,
    has_log: bool,
    order: &Adoption,
) -> Result<Identity, String> {
    if order.disk_id != disk_id {
        return Err(format!("the order is meant for disk {}, this disk is {disk_id}", order.disk_id));
    }
    let wanted =
        Identity { ensemble_id: order.ensemble_id.clone(), node_id: order.node_id, disk_id: order.disk_id.clone() };
    match present {
        Some(present) if *present != wanted => {
            Err(format!("this disk belongs to member {} of ensemble {}", present.node_id, present.ensemble_id))
        }
        None if has_log => Err(LOG_OF_NOBODY.to_owned()),
        _ => Ok(wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> StaticList {
        StaticList([("a".to_owned(), "h:1".to_owned()), ("b".to_owned(), "h:2".to_owned())].into())
    }

    fn probed(name: &str, ensemble: Option<&str>, has_log: bool) -> Probed {
        let identity = ensemble.map(|id| Identity { ensemble_id: id.into(), node_id: 1, disk_id: "d".into() });
        Probed {
            name: name.into(),
            identity,
            disk_id: "d".into(),
            ensemble_list: list().canonical(),
            has_log,
            client_addr: String::new(),
            http_addr: String::new(),
            peer_addr: String::new(),
            admin_addr: format!("{name}:9080"),
        }
    }

    #[test]
    fn one_unreachable_member_forms_nothing() {
        let answers = [("a".into(), Ok(probed("a", None, false))), ("b".into(), Err("refused".into()))].into();
        assert!(matches!(judge(&list().canonical(), answers, None), Outlook::Waiting(_)));
    }

    #[test]
    fn one_member_with_a_log_ends_the_attempt() {
        let answers = [("a".into(), Ok(probed("a", None, false))), ("b".into(), Ok(probed("b", Some("e"), true)))];
        let formed = Outlook::Formed { by: "b".into(), ensemble_id: "e".into(), admins: vec!["b:9080".into()] };
        assert_eq!(judge(&list().canonical(), answers.into(), None), formed);
    }

    #[test]
    fn an_attempt_that_was_cut_off_is_resumed_under_the_same_id() {
        let answers =
            [("a".into(), Ok(probed("a", Some("e"), false))), ("b".into(), Ok(probed("b", Some("e"), false)))];
        assert!(matches!(judge(&list().canonical(), answers.clone().into(), Some("e")), Outlook::Agreed(_)));
        let outlook = judge(&list().canonical(), answers.into(), None);
        assert!(matches!(outlook, Outlook::Waiting(why) if why.contains("not formed yet")), "it is not this member's");
    }

    #[test]
    fn another_list_is_named() {
        let other = Probed { ensemble_list: "a=h:1".into(), ..probed("b", None, false) };
        let answers = [("a".into(), Ok(probed("a", None, false))), ("b".into(), Ok(other))];
        assert!(matches!(
            judge(&list().canonical(), answers.into(), None),
            Outlook::Differs(what) if what.contains("another list")
        ));
    }

    #[test]
    fn a_member_that_lives_at_the_address_of_another_is_named() {
        let answers = [("a".into(), Ok(probed("a", None, false))), ("b".into(), Ok(probed("c", None, false)))];
        assert!(matches!(
            judge(&list().canonical(), answers.into(), None),
            Outlook::Differs(what) if what.ends_with("lives c, not b")
        ));
    }

    #[test]
    fn adoption_is_idempotent_and_bound_to_the_disk() {
        let order = Adoption { ensemble_id: "e".into(), node_id: 3, disk_id: "d".into() };
        let identity = adopt(None, "d", false, &order).unwrap();
        assert_eq!(adopt(Some(&identity), "d", false, &order), Ok(identity.clone()));
        assert_eq!(adopt(Some(&identity), "d", true, &order), Ok(identity.clone()), "repeated after it began");
        assert!(adopt(None, "other", false, &order).is_err());
        assert!(adopt(Some(&identity), "d", false, &Adoption { node_id: 4, ..order }).is_err());
    }

    #[test]
    fn a_log_of_an_unknown_ensemble_is_adopted_by_nobody() {
        let order = Adoption { ensemble_id: "e".into(), node_id: 3, disk_id: "d".into() };
        assert_eq!(adopt(None, "d", true, &order), Err(LOG_OF_NOBODY.to_owned()));
    }
}
