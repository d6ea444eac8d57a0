//! What is true of the ensemble, from what its members say.
//!
//! ```text
//!   answers ─► a leader whom most of its voters follow in its term? ─► Confirmed: its membership is the membership
//!                         │ no
//!                         └► could the silent ones be a majority? ─► Unknown        else ─► Lost
//! ```
//!
//! Rule: members are known by id, never by their place in a list; a member that is silent counts neither for nor
//! against. Reason: a leader that was cut off still shows the membership that it had, and whoever does not answer the
//! operator may well answer everyone else.

use std::collections::BTreeMap;

use super::hold::behind;
use crate::step::Target;
use crate::world::{Answer, Asked, Part, Peer, Pod, PodState, World};

/// A voter that is no more than so many log entries behind serves as well as the leader does.
const VOTER_LAG_MAX: u64 = 10_000;
/// A learner that is no more than so many entries behind can be given its vote; coordd holds the same bound.
pub(crate) const LEARNER_LAG_MAX: u64 = 512;

/// How many of `voters` are a majority.
pub(crate) fn majority(voters: usize) -> usize {
    voters / 2 + 1
}

pub(crate) enum Quorum<'a> {
    Confirmed(Confirmed<'a>),
    /// A majority of the voters answers and follows nobody yet; what they say of it.
    Electing(String),
    /// It may be there; why that is not known.
    Unknown(String),
    /// It is not there; who is missing.
    Lost(String),
}

/// The ensemble as a majority of its voters sees it.
pub(crate) struct Confirmed<'a> {
    pub leader: Target,
    pub leader_id: u64,
    pub membership_index: u64,
    pub rows: Vec<Row<'a>>,
}

/// One member of the confirmed membership, with what is known of it.
pub(crate) struct Row<'a> {
    pub id: u64,
    pub name: &'a str,
    pub ordinal: Option<i32>,
    pub voter: bool,
    /// The pod of its name.
    pub pod: Option<&'a Pod>,
    pub standing: Standing,
}

impl Row<'_> {
    /// Why it does not serve clients, in its own words.
    pub(crate) fn not_serving(&self) -> Option<&str> {
        self.pod?.asked.answer()?.not_serving.as_deref()
    }

    /// Why it does not serve though it is well, in its own words if it has any.
    pub(crate) fn not_ready(&self) -> String {
        self.not_serving().unwrap_or("its pod is not ready").to_owned()
    }
}

/// How a member of the ensemble is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It follows the leader and has caught up.
    Well,
    /// It follows the leader and has not caught up; by how many entries, if that is known.
    Behind(Option<u64>),
    /// It answers and is not part of the quorum; why.
    Astray(String),
    /// It is known not to run; why.
    Down(String),
    /// It runs, as far as is known, and does not answer; why.
    Silent(String),
    /// Its pod has another disk: this identity has no disk any more.
    DiskLost,
}

impl Standing {
    pub(crate) fn is_well(&self) -> bool {
        *self == Standing::Well
    }

    /// In words, for messages.
    pub(crate) fn in_words(&self) -> String {
        match self {
            Standing::Well => "well".to_owned(),
            Standing::Behind(Some(lag)) => behind(*lag),
            Standing::Behind(None) => "catching up".to_owned(),
            Standing::Astray(why) | Standing::Down(why) | Standing::Silent(why) => why.clone(),
            Standing::DiskLost => "without its disk".to_owned(),
        }
    }
}

/// Id of the ensemble that this cluster is, by its records: until a recovery is known to be done, the one that it
/// gives up, which after the first recovery is not the founded one.
pub(crate) fn current_id(world: &World) -> Option<&str> {
    let founded = world.bootstrap.as_ref()?.ensemble_id.as_deref()?;
    Some(world.recovery.as_ref().map_or(founded, |recovery| recovery.to.as_deref().unwrap_or(&recovery.from)))
}

/// Pods whose member answers as one of the ensemble `id`.
pub(crate) fn answers<'a>(world: &'a World, id: &'a str) -> impl Iterator<Item = (&'a Pod, &'a Answer)> {
    world.pods.iter().filter_map(move |pod| {
        let answer = pod.asked.answer()?;
        (answer.ensemble_id.as_deref() == Some(id) && answer.node_id.is_some()).then_some((pod, answer))
    })
}

/// Judges the quorum of the ensemble `id`.
pub(crate) fn quorum<'a>(world: &'a World, id: &'a str) -> Quorum<'a> {
    let confirmed = answers(world, id).filter(|(_, answer)| answer.part == Part::Leader);
    for (pod, leader) in confirmed {
        if let Some(confirmed) = confirm(world, id, pod, leader) {
            return Quorum::Confirmed(confirmed);
        }
    }
    unconfirmed(world, id)
}

fn follows(answer: &Answer, leader: u64, term: u64) -> bool {
    answer.leader == Some(leader) && answer.term == term && !matches!(answer.part, Part::Unformed | Part::Candidate)
}

fn confirm<'a>(world: &'a World, id: &'a str, pod: &'a Pod, leader: &'a Answer) -> Option<Confirmed<'a>> {
    let leader_id = leader.node_id?;
    let by_id: BTreeMap<u64, (&Pod, &Answer)> =
        answers(world, id).filter_map(|(pod, answer)| Some((answer.node_id?, (pod, answer)))).collect();
    let voters: Vec<_> = leader.peers.iter().filter(|peer| peer.voter).collect();
    let led = |peer: &&&Peer| by_id.get(&peer.id).is_some_and(|(_, one)| follows(one, leader_id, leader.term));
    let following = voters.iter().filter(led).count();
    if !voters.iter().any(|peer| peer.id == leader_id) || following < majority(voters.len()) {
        return None;
    }
    let row = |peer: &'a Peer| Row {
        id: peer.id,
        name: &peer.name,
        ordinal: world.name.ordinal_of(&peer.name),
        voter: peer.voter,
        pod: world.pod(&peer.name),
        standing: standing(world, id, peer, leader),
    };
    Some(Confirmed {
        leader: Target { pod: pod.name.clone(), ip: pod.ip.clone()? },
        leader_id,
        membership_index: leader.membership_index,
        rows: leader.peers.iter().map(row).collect(),
    })
}

fn standing(world: &World, id: &str, peer: &Peer, leader: &Answer) -> Standing {
    let Some(pod) = world.pod(&peer.name) else { return Standing::Down("it has no pod".to_owned()) };
    let answer = match &pod.asked {
        Asked::Answered(answer) => answer,
        Asked::WrongToken => return Standing::Silent("it does not know the operator's token".to_owned()),
        Asked::NotYet | Asked::Silent(_) => return down_or_silent(pod),
    };
    if answer.node_id != Some(peer.id) || answer.ensemble_id.as_deref() != Some(id) {
        return Standing::DiskLost;
    }
    if pod.deleting.is_some() {
        return Standing::Down("it is stopping".to_owned());
    }
    let leads = leader.node_id == Some(peer.id);
    if !leads && !follows(answer, leader.node_id.unwrap_or_default(), leader.term) {
        let why = answer.not_serving.clone().unwrap_or_else(|| "it does not follow the leader".to_owned());
        return Standing::Astray(why);
    }
    let bound = if peer.voter { VOTER_LAG_MAX } else { LEARNER_LAG_MAX };
    match peer.lag {
        _ if leads => Standing::Well,
        Some(lag) if lag <= bound => Standing::Well,
        lag => Standing::Behind(lag),
    }
}

/// What is known of a member that gives no answer.
fn down_or_silent(pod: &Pod) -> Standing {
    if pod.deleting.is_some() {
        return Standing::Down("it is stopping".to_owned());
    }
    match &pod.state {
        PodState::Unschedulable { why, .. } => Standing::Down(format!("no node for it: {why}")),
        PodState::Starting => Standing::Down("it is starting".to_owned()),
        PodState::Broken { why, .. } => Standing::Down(why.clone()),
        PodState::Ended => Standing::Down("its pod has ended".to_owned()),
        PodState::Running => Standing::Silent(match &pod.asked {
            Asked::Silent(why) => format!("it does not answer: {why}"),
            _ => "it was not asked yet".to_owned(),
        }),
    }
}

/// Whether the quorum may be there although no leader is confirmed.
fn unconfirmed<'a>(world: &'a World, id: &'a str) -> Quorum<'a> {
    let newest = answers(world, id).max_by_key(|(_, answer)| answer.membership_index);
    let Some((_, newest)) = newest.filter(|(_, answer)| answer.peers.iter().any(|peer| peer.voter)) else {
        return nobody(world);
    };
    let voters: Vec<_> = newest.peers.iter().filter(|peer| peer.voter).collect();
    let (mut there, mut silent, mut missing, mut said) = (0, 0, Vec::new(), Vec::new());
    for voter in &voters {
        match standing(world, id, voter, newest) {
            Standing::Well | Standing::Behind(_) | Standing::Astray(_) => {
                there += 1;
                let answer = world.pod(&voter.name).and_then(|pod| pod.asked.answer());
                let why = answer.and_then(|answer| answer.not_serving.as_deref());
                said.extend(why.map(|why| format!("{}: {why}", voter.name)));
            }
            Standing::Silent(_) => silent += 1,
            why @ (Standing::Down(_) | Standing::DiskLost) => {
                missing.push(format!("{} ({})", voter.name, why.in_words()));
            }
        }
    }
    let needed = majority(voters.len());
    if there >= needed {
        return Quorum::Electing(electing(&said));
    }
    if there + silent >= needed {
        return Quorum::Unknown(format!("{silent} of {} voters cannot be asked", voters.len()));
    }
    Quorum::Lost(format!("{needed} of {} voters are needed; not there: {}", voters.len(), missing.join(", ")))
}

/// That no leader is confirmed, in words, with those of the voters.
fn electing(said: &[String]) -> String {
    let words = if said.is_empty() { String::new() } else { format!(" ({})", said.join("; ")) };
    format!(
        "the voters answer and are electing a leader{words}; if this lasts they do not hear each other: look at port \
         2888 between the members"
    )
}

/// What no answer from the ensemble means.
fn nobody<'a>(world: &World) -> Quorum<'a> {
    let unanswered = world.pods.iter().filter(|pod| pod.asked.answer().is_none());
    let standings: Vec<Standing> = unanswered.map(down_or_silent).collect();
    let silent = standings.iter().any(|standing| matches!(standing, Standing::Silent(_)));
    let starting = world.pods.iter().any(|pod| pod.state == PodState::Starting);
    if silent || starting || world.pods.is_empty() {
        return Quorum::Unknown("no member of the ensemble answers".to_owned());
    }
    if standings.is_empty() {
        return Quorum::Lost("no member that answers belongs to the ensemble".to_owned());
    }
    Quorum::Lost("no member runs".to_owned())
}

impl<'a> Confirmed<'a> {
    pub(crate) fn voters(&self) -> impl Iterator<Item = &Row<'a>> {
        self.rows.iter().filter(|row| row.voter)
    }

    pub(crate) fn learners(&self) -> impl Iterator<Item = &Row<'a>> {
        self.rows.iter().filter(|row| !row.voter)
    }

    /// The row of a pod's own identity.
    pub(crate) fn row_of(&self, pod: &Pod) -> Option<&Row<'a>> {
        let id = pod.asked.answer()?.node_id?;
        self.rows.iter().find(|row| row.id == id && row.name == pod.name)
    }

    /// Voters that are well, without the one of `except`.
    pub(crate) fn well_without(&self, except: Option<u64>) -> usize {
        self.voters().filter(|row| Some(row.id) != except && row.standing.is_well()).count()
    }

    /// Whether the ensemble bears that `id` stops for a while: the others that are well are a majority of all voters.
    /// One or two voters never bear it; there, all others must be well.
    pub(crate) fn bears_stop_of(&self, id: u64) -> bool {
        let voters = self.voters().count();
        let others = self.well_without(Some(id));
        if voters <= 2 { others + 1 >= voters } else { others >= majority(voters) }
    }

    /// Whether the ensemble bears that the disk of `id` is given up: the others that are well are a majority.
    pub(crate) fn bears_loss_of(&self, id: u64) -> bool {
        self.well_without(Some(id)) >= majority(self.voters().count())
    }

    /// Whether the ensemble goes on without the vote of `id`: those that are well are a majority of the voters left.
    pub(crate) fn bears_removal_of(&self, id: u64) -> bool {
        let left = self.voters().filter(|row| row.id != id).count();
        left > 0 && self.well_without(Some(id)) >= majority(left)
    }

    /// Highest ordinal of any member, and one more: so many pods are needed.
    pub(crate) fn pods_needed(&self) -> i32 {
        self.rows.iter().filter_map(|row| row.ordinal).max().map_or(0, |ordinal| ordinal + 1)
    }

    /// The voter to lead instead of `from`: well, and of `preferred` first, then the lowest ordinal.
    pub(crate) fn successor(&self, from: u64, preferred: impl Fn(&Row<'a>) -> bool) -> Option<&Row<'a>> {
        let fit = self.voters().filter(|row| row.id != from && row.standing.is_well());
        fit.min_by_key(|row| (!preferred(row), row.ordinal))
    }
}
