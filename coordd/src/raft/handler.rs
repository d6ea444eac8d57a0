//! What a member does with what its peers send; the other end of `network` and of the questions in `peer::call`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use openraft::impls::EntryPayload;
use tokio::time::timeout;

use super::barrier;
use super::core::Core;
use super::dispatch;
use super::door::Pass;
use super::member::Member;
use super::peer::Identity;
use super::peer::call::{Answer, Call, Probed, leader_of};
use super::peer::frame::{Frame, protocol};
use super::peer::server::{Handler, Incoming};
use super::types::{AppendRequest, AppendResponse, Entry, VoteRequest};
use super::{codec, roll_call, snapshot_io};
use crate::consensus::BoxFuture;
use crate::planted;

/// So long a leader's entries may wait for room before it is told; far below what it takes for a dead link.
const HELD_MAX: Duration = Duration::from_secs(1);

pub(crate) struct PeerHandler(pub Arc<Member>);

fn no_core() -> io::Error {
    protocol("this member is not part of an ensemble yet")
}

impl PeerHandler {
    fn core(&self) -> io::Result<Arc<Core>> {
        self.0.core().cloned().ok_or_else(no_core)
    }
}

fn failed(error: impl std::fmt::Display) -> Answer {
    Answer::Failed(error.to_string())
}

async fn pre_vote(core: &Core, request: VoteRequest) -> Answer {
    let theirs = request.last_log_id;
    let answered = core.raft.pre_vote(request).await;
    if answered.as_ref().is_ok_and(|answer| !answer.vote_granted && answer.last_log_id > theirs) {
        core.ahead.notify_waiters();
    }
    answered.map_or_else(failed, Answer::Vote)
}

async fn answer(core: &Core, from: &Identity, call: Call) -> Answer {
    match call {
        Call::Vote(request) => core.raft.vote(request).await.map_or_else(failed, Answer::Vote),
        Call::PreVote(request) => pre_vote(core, request).await,
        Call::Transfer(request) => match core.raft.handle_transfer_leader(request).await {
            Ok(accepted) => Answer::Transferring(accepted.is_ok()),
            Err(error) => failed(error),
        },
        Call::ReadIndex => Answer::ReadIndex(barrier::read_index(&core.raft).await),
        Call::Contacts(report) => Answer::Contacts(core.desk.receive(from.node_id, &report).await),
        Call::Attendance { index } => roll_call::answer(&core.applied, index).await,
        Call::Diverged { index, majority } => {
            if core.leadership.leader().is_some_and(|leader| leader.id == from.node_id) {
                roll_call::stop(&core.diverged, &core.applied, index, majority).await;
            }
            Answer::Done
        }
        Call::Elect => core.raft.trigger().elect(true).await.map_or_else(failed, |()| Answer::Done),
        Call::Probe | Call::Adopt(_) => failed("not a question for consensus"),
    }
}

/// Gives openraft as many of a leader's entries as the log has room for; the leader sends the rest again, and is kept
/// waiting a while if none has any. A part of an append is an append.
async fn take_in(core: &Core, mut request: AppendRequest) -> io::Result<AppendResponse> {
    let count = request.entries.len();
    let (room, pass) = if count == 0 { (0, None) } else { let_in(core, &request.entries).await };
    request.entries.truncate(room);
    let upto = request.entries.last().map_or(request.prev_log_id, |entry| Some(entry.log_id));
    let answer = planted::append(&core.raft, request).await?;
    drop(pass);
    match answer {
        AppendResponse::Success if room < count => Ok(AppendResponse::PartialSuccess(upto)),
        answer => Ok(answer),
    }
}

async fn let_in(core: &Core, entries: &[Entry]) -> (usize, Option<Pass>) {
    let payloads = entries.iter().map(|entry| codec::payload_len(&entry.payload) as u64);
    let made_by_openraft = |entry: &&Entry| !matches!(entry.payload, EntryPayload::Normal(_));
    let first = entries.iter().take_while(made_by_openraft).count();
    let at_once = core.door.try_enter(payloads.clone());
    let entered = match at_once.or_else(|| core.door.try_enter_first(payloads.clone().take(first))) {
        Some(entered) => Some(entered),
        None => timeout(HELD_MAX, core.door.enter(payloads)).await.ok(),
    };
    entered.map_or((0, None), |(count, pass)| (count, Some(pass)))
}

impl Handler for PeerHandler {
    fn probed(&self) -> Probed {
        self.0.probed()
    }

    fn call(&self, from: Identity, call: Call) -> BoxFuture<Answer> {
        let member = self.0.clone();
        Box::pin(async move {
            match call {
                Call::Adopt(order) => match member.adopt(&order) {
                    Ok(_) => member.start_core().await.map_or_else(failed, |_| Answer::Done),
                    Err(why) => Answer::Failed(why),
                },
                call => match member.core() {
                    Some(core) => answer(core, &from, call).await,
                    None => failed(no_core()),
                },
            }
        })
    }

    fn append(&self, request: AppendRequest) -> BoxFuture<io::Result<AppendResponse>> {
        let core = self.core();
        Box::pin(async move {
            let core = core?;
            if leader_of(&request.vote) == core.leadership.leader().map(|leader| leader.id) {
                core.heard.now();
            }
            take_in(&core, request).await
        })
    }

    fn forward(&self, from: Identity, link: Incoming, open: Frame) -> BoxFuture<io::Result<()>> {
        let core = self.core();
        Box::pin(async move {
            tracing::debug!(member = from.node_id, term = open.id, "stream of forwarded writes");
            let core = core?;
            dispatch::receive(&core.raft, &core.intake, from.node_id, link, open).await
        })
    }

    fn snapshot(&self, link: Incoming, begin: Frame) -> BoxFuture<io::Result<()>> {
        let core = self.core();
        Box::pin(async move {
            let core = core?;
            snapshot_io::receive(&core.raft, &core.snapshots, link, begin).await
        })
    }

    fn heard(&self, from: &Identity) {
        if let Some(link) = self.0.core().and_then(|core| core.peers.get(from.node_id)) {
            link.said_hello();
        }
    }
}
