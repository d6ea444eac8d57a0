//! Founding by explicit order: `coordd admin bootstrap` (design D9).
//!
//! ```text
//!   asked ─► formed already? ─┬─ no ─► every member named is there and empty ─► found it ─┐
//!                             └─ yes ─► of these very members? ───────────────────────────┴─► its id
//! ```
//!
//! Rule: an ensemble that is there is a success for whoever ordered these members, and a refusal that says what differs
//! for whoever ordered others. Reason: an order whose answer was lost is given again; one that was meant for another
//! ensemble must not pass for done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::formation::{self, LOG_OF_NOBODY, Outlook, StaticList};
use super::member::Member;
use super::membership::{Result, VOTERS_MAX, refused, unavailable};
use super::peer::Identity;
use super::types::{Node, NodeId};

/// How long it may take until a member that was founded knows its first membership.
const FIRST_MEMBERSHIP_MAX: Duration = Duration::from_secs(2);

/// Name → peer address.
type Seats = BTreeMap<String, String>;

fn seats_of(members: Vec<(String, String)>, me: &str, my_peer_addr: &str) -> Result<Seats> {
    if members.is_empty() {
        return Ok([(me.to_owned(), my_peer_addr.to_owned())].into());
    }
    let mut seats = Seats::new();
    for (name, peer_addr) in members {
        if let Some(other) = seats.insert(name.clone(), peer_addr) {
            return Err(refused(format!("member {name} is named twice, once at {other}")));
        }
    }
    if !seats.contains_key(me) {
        return Err(refused(format!("this member, {me}, is not among those to be founded")));
    }
    if seats.len() > VOTERS_MAX {
        return Err(refused(format!("an ensemble has at most {VOTERS_MAX} voters, and {} are named", seats.len())));
    }
    Ok(seats)
}

/// How the names of an order differ from those of the members that there are.
fn difference(seats: &Seats, members: &BTreeMap<NodeId, Node>) -> Option<String> {
    let members: BTreeSet<_> = members.values().map(|node| node.name.as_str()).collect();
    let named: BTreeSet<_> = seats.keys().map(String::as_str).collect();
    let strangers = named.difference(&members).map(|name| format!("{name} is not a member of it"));
    let unnamed = members.difference(&named).map(|name| format!("{name} is a member of it and not named"));
    let differences: Vec<_> = strangers.chain(unnamed).collect();
    (!differences.is_empty()).then(|| differences.join(", "))
}

impl Member {
    /// Founds an ensemble of `members` (name and peer address, this member among them), or of this one alone if there
    /// are none; its id. One that is founded of these already is a success.
    ///
    /// # Errors
    /// Refused when these can never be founded here, or others are; unavailable when one of them cannot be asked yet.
    pub async fn bootstrap(self: &Arc<Self>, members: Vec<(String, String)>) -> Result<String> {
        let seats = seats_of(members, &self.config.name, &self.config.advertise_peer)?;
        let _alone = self.founding.lock().await;
        if self.formed_as().is_none() {
            self.found_of(&seats).await?;
        }
        let identity = self.formed_as().ok_or_else(|| unavailable("this member is being taken into an ensemble"))?;
        self.check_members(&seats, &identity).await?;
        Ok(identity.ensemble_id)
    }

    /// Who this member is in an ensemble that is formed.
    fn formed_as(&self) -> Option<Identity> {
        self.local.identity().filter(|_| self.has_log())
    }

    async fn found_of(self: &Arc<Self>, seats: &Seats) -> Result<()> {
        let list = StaticList(seats.clone());
        match formation::look(&list, &self.config.name, &self.local, || self.probed()).await {
            Outlook::Agreed(agreed) => self.found(&formation::first_members(&agreed)).await.map_err(unavailable),
            Outlook::Waiting(why) => Err(unavailable(why)),
            Outlook::Differs(what) => Err(refused(what)),
            Outlook::Formed { by, ensemble_id, .. } if ensemble_id.is_empty() => {
                Err(refused(format!("member {by}: {LOG_OF_NOBODY}")))
            }
            Outlook::Formed { ensemble_id, .. } if self.is_of(&ensemble_id) => Ok(()),
            Outlook::Formed { by, ensemble_id, .. } => {
                Err(refused(format!("member {by} belongs to ensemble {ensemble_id} already")))
            }
        }
    }

    fn is_of(&self, ensemble_id: &str) -> bool {
        self.local.identity().is_some_and(|identity| identity.ensemble_id == ensemble_id)
    }

    /// Whether the members that there are are those of `seats`.
    async fn check_members(&self, seats: &Seats, identity: &Identity) -> Result<()> {
        let id = &identity.ensemble_id;
        let core = self.formed()?;
        let members = first_membership(&core).await?;
        if let Some(what) = difference(seats, &members) {
            return Err(refused(format!("ensemble {id} is formed already, and {what}")));
        }
        for node in members.values() {
            let Some(address) = seats.get(&node.name).filter(|address| **address != node.peer_addr) else { continue };
            let probed = formation::probe(address, &self.local).await.map_err(unavailable)?;
            if probed.name != node.name {
                let what = formation::lives_elsewhere(address, &probed.name, &node.name);
                return Err(refused(format!("ensemble {id} is formed already, and {what}")));
            }
        }
        Ok(())
    }
}

async fn first_membership(core: &Core) -> Result<BTreeMap<NodeId, Node>> {
    let members = |metrics: &openraft::RaftMetrics<_>| metrics.membership_config.nodes().next().is_some();
    let known = core.raft.wait(Some(FIRST_MEMBERSHIP_MAX)).metrics(members, "the first membership").await;
    let metrics = known.map_err(|_| unavailable("the ensemble is being founded"))?;
    Ok(metrics.membership_config.nodes().map(|(id, node)| (*id, node.clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::super::membership::ChangeError;
    use super::*;

    fn seats(names: &[&str]) -> Vec<(String, String)> {
        names.iter().map(|name| ((*name).to_owned(), format!("{name}:2888"))).collect()
    }

    #[test]
    fn an_order_names_each_member_once_the_asked_one_too_and_no_more_than_seven() {
        let alone = seats_of(Vec::new(), "a", "a:2888").unwrap();
        assert_eq!(alone, seats(&["a"]).into_iter().collect());
        let eight = ["a", "b", "c", "d", "e", "f", "g", "h"];
        for (names, says) in [(&["b"][..], "not among"), (&["a", "b", "b"], "twice"), (&eight, "at most 7")] {
            let said = seats_of(seats(names), "a", "a:2888").unwrap_err();
            assert!(matches!(&said, ChangeError::Refused(why) if why.contains(says)), "{said}");
        }
        assert_eq!(seats_of(seats(&eight[..7]), "a", "a:2888").unwrap().len(), 7);
    }

    #[test]
    fn each_member_that_is_too_much_or_missing_is_named() {
        let node = |name: &str| Node { name: name.to_owned(), ..Node::default() };
        let members = [(1, node("a")), (2, node("b"))].into();
        let ordered = |names: &[&str]| difference(&seats(names).into_iter().collect(), &members);
        assert_eq!(ordered(&["a", "b"]), None);
        let both = "c is not a member of it, b is a member of it and not named";
        assert_eq!(ordered(&["a", "c"]).as_deref(), Some(both));
    }
}
