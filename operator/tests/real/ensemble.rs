//! Members that only pretend: the admin API of coordd over one shared state, with its rules and refusals.
//!
//! ```text
//!   disk (by claim) ─ identity, log?        members: id → name, vote        leader: the lowest voter that is up
//! ```
//!
//! Rule: an order is carried out only by the leader, at the membership index that it names, while a majority is up;
//! what is done already is a success. Reason: so do real members, and a fence that the fake lacks is not tested.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;

use coordd_api::{Addresses, AdminStatus, EnsembleView, MemberRole, MemberView, Refusal, RefusalCode, Seat};

#[derive(Clone, Debug, Default)]
struct Disk {
    node_id: Option<u64>,
    ensemble: Option<String>,
    has_log: bool,
}

#[derive(Clone, Debug, Default)]
struct Membership {
    index: u64,
    /// Name and vote by id.
    members: BTreeMap<u64, (String, bool)>,
}

#[derive(Default)]
struct State {
    founded: Vec<String>,
    ensemble: Option<String>,
    membership: Membership,
    /// Of ensembles that were given up.
    former: HashMap<String, Membership>,
    next_id: u64,
    leader: Option<u64>,
    term: u64,
    disks: HashMap<String, Disk>,
    /// The disk of each member that is up, by its name.
    up: BTreeMap<String, String>,
    /// What was done, in order.
    done: Vec<String>,
    /// Members that do not start, whatever Kubernetes does.
    down: BTreeSet<String>,
}

/// One ensemble.
#[derive(Default)]
pub(crate) struct Ensemble(Mutex<State>);

type Done<T> = Result<T, Refusal>;

fn refusal(code: RefusalCode, message: impl Into<String>) -> Refusal {
    Refusal { code, message: message.into(), what_to_do: String::new(), membership_index: None, leader: None }
}

impl State {
    fn disk(&mut self, name: &str) -> Option<&mut Disk> {
        let claim = self.up.get(name)?.clone();
        Some(self.disks.entry(claim).or_default())
    }

    fn id(&self, name: &str) -> Option<u64> {
        let disk = self.disks.get(self.up.get(name)?)?;
        disk.node_id.filter(|_| disk.ensemble.is_some() && disk.ensemble == self.ensemble)
    }

    fn is_up(&self, id: u64) -> bool {
        let name = self.membership.members.get(&id).map(|(name, _)| name.clone());
        name.is_some_and(|name| self.id(&name) == Some(id))
    }

    /// The lowest voter that is up leads, as long as a majority is up.
    fn elect(&mut self) {
        let voters: Vec<u64> =
            self.membership.members.iter().filter(|(_, (_, voter))| *voter).map(|(id, _)| *id).collect();
        let up: Vec<u64> = voters.iter().copied().filter(|id| self.is_up(*id)).collect();
        let leader = if 2 * up.len() <= voters.len() {
            None
        } else {
            self.leader.filter(|leader| up.contains(leader)).or_else(|| up.first().copied())
        };
        if leader != self.leader && leader.is_some() {
            self.term += 1;
        }
        self.leader = leader;
    }

    fn lead(&mut self, name: &str) -> Done<()> {
        self.elect();
        match self.leader {
            Some(leader) if self.id(name) == Some(leader) => Ok(()),
            _ => Err(refusal(RefusalCode::NotLeader, "another leads")),
        }
    }

    fn at(&self, index: u64) -> Done<()> {
        if index == self.membership.index {
            return Ok(());
        }
        let moved = refusal(RefusalCode::Moved, "the membership has moved");
        Err(Refusal { membership_index: Some(self.membership.index), ..moved })
    }

    fn changed(&mut self, what: String) -> u64 {
        self.membership.index += 1;
        self.done.push(what);
        self.elect();
        self.membership.index
    }
}

impl Ensemble {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn start(&self, name: &str, claim: &str) {
        let mut state = self.lock();
        state.up.insert(name.to_owned(), claim.to_owned());
        state.elect();
    }

    pub(crate) fn stop(&self, name: &str) {
        let mut state = self.lock();
        state.up.remove(name);
        state.elect();
    }

    /// As if the machine of `name` were gone.
    pub(crate) fn keep_down(&self, name: &str) {
        self.lock().down.insert(name.to_owned());
    }

    pub(crate) fn let_all_up(&self) {
        self.lock().down.clear();
    }

    pub(crate) fn is_kept_down(&self, name: &str) -> bool {
        self.lock().down.contains(name)
    }

    /// As if there had been an election.
    pub(crate) fn lead_from_now_on(&self, name: &str) {
        let mut state = self.lock();
        let id = state.id(name);
        state.leader = id;
        state.term += 1;
    }

    /// Ids of all ensembles that were ever founded.
    pub(crate) fn founded(&self) -> Vec<String> {
        self.lock().founded.clone()
    }

    pub(crate) fn done(&self) -> Vec<String> {
        self.lock().done.clone()
    }

    pub(crate) fn voters(&self) -> Vec<String> {
        let state = self.lock();
        state.membership.members.values().filter(|(_, voter)| *voter).map(|(name, _)| name.clone()).collect()
    }

    pub(crate) fn leader(&self) -> Option<String> {
        let state = self.lock();
        state.leader.and_then(|id| state.membership.members.get(&id)).map(|(name, _)| name.clone())
    }

    pub(crate) fn serves(&self, name: &str) -> bool {
        let mut state = self.lock();
        state.elect();
        state.leader.is_some() && state.id(name).is_some_and(|id| state.membership.members.contains_key(&id))
    }

    pub(crate) fn bootstrap(&self, name: &str, seats: &[Seat]) -> Done<String> {
        let mut state = self.lock();
        if let Some(id) = state.disk(name).and_then(|disk| disk.ensemble.clone()) {
            return Ok(id);
        }
        let names: Vec<_> = seats.iter().map(|seat| seat.name.clone()).collect();
        let all_empty = names.iter().all(|name| state.disk(name).is_some_and(|disk| disk.node_id.is_none()));
        if !all_empty || !names.iter().any(|seat| seat == name) {
            return Err(refusal(RefusalCode::Refused, "not all of these are up and empty"));
        }
        let id = format!("e{}-{name}", state.founded.len() + 1);
        for (number, name) in (1..).zip(&names) {
            state.membership.members.insert(number, (name.clone(), true));
            state.next_id = number;
            if let Some(disk) = state.disk(name) {
                *disk = Disk { node_id: Some(number), ensemble: Some(id.clone()), has_log: true };
            }
        }
        state.ensemble = Some(id.clone());
        state.founded.push(id.clone());
        state.changed(format!("bootstrap {}", names.join(",")));
        Ok(id)
    }

    pub(crate) fn add(&self, name: &str, peer_addr: &str, index: u64) -> Done<(u64, u64)> {
        let mut state = self.lock();
        state.lead(name)?;
        let new = peer_addr.split('.').next().unwrap_or_default().to_owned();
        if let Some(id) = state.id(&new) {
            return Ok((id, state.membership.index));
        }
        state.at(index)?;
        let ensemble = state.ensemble.clone();
        let id = state.next_id + 1;
        match state.disk(&new) {
            Some(disk) if disk.node_id.is_none() => *disk = Disk { node_id: Some(id), ensemble, has_log: true },
            Some(_) => return Err(refusal(RefusalCode::Refused, "its disk belongs to another")),
            None => return Err(refusal(RefusalCode::Unavailable, "it does not answer")),
        }
        state.next_id = id;
        state.membership.members.insert(id, (new.clone(), false));
        Ok((id, state.changed(format!("add {new}"))))
    }

    pub(crate) fn promote(&self, name: &str, id: u64, index: u64) -> Done<u64> {
        let mut state = self.lock();
        state.lead(name)?;
        let Some((member, voter)) = state.membership.members.get(&id).cloned() else {
            return Err(refusal(RefusalCode::Refused, "no such member"));
        };
        if voter {
            return Ok(state.membership.index);
        }
        state.at(index)?;
        state.membership.members.insert(id, (member.clone(), true));
        Ok(state.changed(format!("promote {member}")))
    }

    pub(crate) fn remove(&self, name: &str, id: u64, index: u64) -> Done<u64> {
        let mut state = self.lock();
        state.lead(name)?;
        if !state.membership.members.contains_key(&id) {
            return Ok(state.membership.index);
        }
        state.at(index)?;
        if state.leader == Some(id) {
            return Err(refusal(RefusalCode::Refused, "it leads"));
        }
        let removed = state.membership.members.remove(&id).map(|(name, _)| name).unwrap_or_default();
        Ok(state.changed(format!("remove {removed}")))
    }

    pub(crate) fn transfer(&self, name: &str, to: Option<u64>) -> Done<u64> {
        let mut state = self.lock();
        if to.is_some() && state.leader == to {
            return Ok(to.unwrap_or_default());
        }
        state.lead(name)?;
        match to.filter(|to| state.is_up(*to) && state.membership.members[to].1) {
            Some(to) => {
                state.leader = Some(to);
                state.term += 1;
                let name = state.membership.members[&to].0.clone();
                state.done.push(format!("transfer to {name}"));
                Ok(to)
            }
            None => Err(refusal(RefusalCode::Refused, "it is not up")),
        }
    }

    pub(crate) fn recover(&self, name: &str, ensemble: &str) -> Done<String> {
        let mut state = self.lock();
        let given_up = state.ensemble.clone();
        if given_up.as_deref() != Some(ensemble) {
            return Err(refusal(RefusalCode::Refused, "it is not a part of that ensemble"));
        }
        let Some(id) = state.id(name) else { return Err(refusal(RefusalCode::Refused, "it has no identity")) };
        let new = format!("{ensemble}-recovered");
        let former = state.membership.clone();
        state.former.insert(ensemble.to_owned(), former);
        state.membership.members = [(id, (name.to_owned(), true))].into();
        state.ensemble = Some(new.clone());
        if let Some(disk) = state.disk(name) {
            disk.ensemble = Some(new.clone());
        }
        state.changed(format!("recover {name}"));
        Ok(new)
    }

    /// What the member `name` says of itself.
    pub(crate) fn status(&self, name: &str, version: &str) -> AdminStatus {
        let mut state = self.lock();
        state.elect();
        let disk = state.disk(name).cloned().unwrap_or_default();
        let current = disk.ensemble.is_some() && disk.ensemble == state.ensemble;
        let membership = match &disk.ensemble {
            None => Membership::default(),
            Some(_) if current => state.membership.clone(),
            Some(id) => state.former.get(id).cloned().unwrap_or_default(),
        };
        let leader = state.leader.filter(|_| current);
        let role = |id: u64, voter: bool| match (leader == Some(id), voter) {
            (true, _) => MemberRole::Leader,
            (_, true) => MemberRole::Follower,
            (_, false) => MemberRole::Learner,
        };
        let leads = disk.node_id.is_some() && disk.node_id == leader;
        let member = |(id, (name, voter)): (&u64, &(String, bool))| MemberView {
            id: *id,
            name: name.clone(),
            role: role(*id, *voter),
            lag: leads.then_some(0),
            addresses: Addresses::default(),
            disk_id: None,
        };
        let index = membership.index;
        AdminStatus {
            name: name.to_owned(),
            version: version.to_owned(),
            node_id: disk.node_id,
            role: match disk.node_id {
                None => MemberRole::Unformed,
                Some(id) => role(id, membership.members.get(&id).is_some_and(|(_, voter)| *voter)),
            },
            last_log_index: if disk.has_log { 100 } else { 0 },
            committed_index: 100,
            applied_index: if disk.has_log { 100 } else { 0 },
            feature_level: 1,
            not_serving: leader.is_none().then(|| "no leader".to_owned()),
            ensemble: EnsembleView {
                ensemble_id: disk.ensemble,
                leader,
                term: state.term,
                membership_index: index,
                connect_string: String::new(),
                members: membership.members.iter().map(member).collect(),
            },
        }
    }
}
