//! Members that only pretend: the admin API of coordd over one shared state, with its rules and refusals.
//!
//! ```text
//!   disk (by claim) ─ identity, log?        members: id → name, vote        leader: the lowest voter that is up
//! ```
//!
//! Rule: as coordd's `raft::membership` and `raft::member`: an order is carried out only by the leader, at the
//! membership index that it names, while a majority is up; what is done already is a success. The first membership has
//! the index 0, a learner has to catch up, one that was removed goes on saying what it knew, and a survivor goes on
//! alone a moment after it was told to. Reason: a fence that the fake lacks is not tested.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use coordd_api::{Addresses, AdminStatus, EnsembleView, MemberRole, MemberView, Refusal, RefusalCode, Seat};

/// How long a learner takes to catch up.
const CATCH_UP: Duration = Duration::from_millis(300);
/// How long a survivor takes to start anew.
const RESTART: Duration = Duration::from_millis(300);

#[derive(Clone, Debug, Default)]
struct Disk {
    node_id: Option<u64>,
    ensemble: Option<String>,
    has_log: bool,
    /// The last membership that it heard of, if it hears of no other.
    left: Option<Membership>,
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
    /// Members that run and give the operator no answer.
    mute: BTreeSet<String>,
    /// Learners that have not caught up, and since when they learn.
    learning: HashMap<u64, Instant>,
    /// A survivor that is about to go on alone: its name, the new ensemble, and when.
    recovering: Option<(String, String, Instant)>,
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

    /// How far a member is behind, as the leader has it.
    fn lag(&self, id: u64) -> Option<u64> {
        let learns = self.learning.get(&id).map(Instant::elapsed);
        match learns {
            Some(since) if since < CATCH_UP / 2 => None,
            Some(since) if since < CATCH_UP => Some(5_000),
            _ => Some(0),
        }
    }

    /// What a survivor has been told, once its time has come.
    fn go_on_alone(&mut self) {
        let Some((name, new, _)) = self.recovering.take_if(|(.., at)| *at <= Instant::now()) else { return };
        let Some(id) = self.id(&name) else { return };
        let given_up = self.membership.clone();
        for disk in self.disks.values_mut().filter(|disk| disk.ensemble == self.ensemble && disk.node_id.is_some()) {
            disk.left.get_or_insert_with(|| given_up.clone());
        }
        self.membership.members = [(id, (name.clone(), true))].into();
        self.ensemble = Some(new.clone());
        if let Some(disk) = self.disk(&name) {
            *disk = Disk { ensemble: Some(new), left: None, ..disk.clone() };
        }
        self.changed(format!("recover {name}"));
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
        let mut state = self.0.lock().unwrap();
        state.go_on_alone();
        state
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

    /// As if the way from the operator to the member of `name` were cut, and only that.
    pub(crate) fn mute(&self, name: &str) {
        self.lock().mute.insert(name.to_owned());
    }

    pub(crate) fn let_all_speak(&self) {
        self.lock().mute.clear();
    }

    pub(crate) fn is_mute(&self, name: &str) -> bool {
        self.lock().mute.contains(name)
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
                *disk = Disk { node_id: Some(number), ensemble: Some(id.clone()), has_log: true, left: None };
            }
        }
        state.ensemble = Some(id.clone());
        state.founded.push(id.clone());
        state.done.push(format!("bootstrap {}", names.join(",")));
        state.elect();
        Ok(id)
    }

    pub(crate) fn add(&self, name: &str, peer_addr: &str, index: u64) -> Done<(u64, u64)> {
        let mut state = self.lock();
        state.lead(name)?;
        let new = peer_addr.split('.').next().unwrap_or_default().to_owned();
        if let Some(id) = state.id(&new).filter(|id| state.membership.members.contains_key(id)) {
            return Ok((id, state.membership.index));
        }
        state.at(index)?;
        let ensemble = state.ensemble.clone();
        let id = state.next_id + 1;
        match state.disk(&new) {
            Some(disk) if disk.node_id.is_none() => {
                *disk = Disk { node_id: Some(id), ensemble, has_log: true, left: None };
            }
            Some(_) => return Err(refusal(RefusalCode::Refused, "its disk belongs to another")),
            None => return Err(refusal(RefusalCode::Unavailable, "it does not answer")),
        }
        state.next_id = id;
        state.membership.members.insert(id, (new.clone(), false));
        state.learning.insert(id, Instant::now());
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
        if state.lag(id) != Some(0) {
            return Err(refusal(RefusalCode::Unavailable, "it has not caught up"));
        }
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
        let last_heard = state.membership.clone();
        if let Some(disk) = state.disks.values_mut().find(|disk| disk.node_id == Some(id)) {
            disk.left = Some(last_heard);
        }
        let removed = state.membership.members.remove(&id).map(|(name, _)| name).unwrap_or_default();
        Ok(state.changed(format!("remove {removed}")))
    }

    pub(crate) fn transfer(&self, name: &str, to: Option<u64>) -> Done<u64> {
        let mut state = self.lock();
        state.lead(name)?;
        if to.is_some() && state.leader == to {
            return Ok(to.unwrap_or_default());
        }
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
        if state.id(name).is_none() {
            return Err(refusal(RefusalCode::Refused, "it has no identity"));
        }
        // Asked again before it has started anew, it goes on with the first order.
        let order = || (name.to_owned(), format!("{ensemble}-recovered"), Instant::now() + RESTART);
        Ok(state.recovering.get_or_insert_with(order).1.clone())
    }

    /// What the member `name` says of itself.
    pub(crate) fn status(&self, name: &str, version: &str) -> AdminStatus {
        let mut state = self.lock();
        state.elect();
        let disk = state.disk(name).cloned().unwrap_or_default();
        let current = disk.ensemble.is_some() && disk.ensemble == state.ensemble && disk.left.is_none();
        let membership = match &disk.left {
            Some(left) => left.clone(),
            None if current => state.membership.clone(),
            None => Membership::default(),
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
            lag: if leads && leader != Some(*id) { state.lag(*id) } else { None },
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
                Some(_) if disk.left.is_some() => MemberRole::Learner,
                Some(id) => role(id, membership.members.get(&id).is_some_and(|(_, voter)| *voter)),
            },
            last_log_index: if disk.has_log { 100 } else { 0 },
            last_log_term: Some(1),
            committed_index: 100,
            applied_index: if disk.has_log { 100 } else { 0 },
            feature_level: 1,
            not_serving: leader.is_none().then(|| "no leader".to_owned()),
            ensemble: EnsembleView {
                ensemble_id: disk.ensemble,
                leader,
                term: if disk.node_id.is_some() { state.term } else { 0 },
                membership_index: index,
                connect_string: String::new(),
                members: membership.members.iter().map(member).collect(),
            },
        }
    }
}
