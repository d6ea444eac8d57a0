//! Carries this member's undecided writes to whoever leads, in one ordered stream that is pinned to its term.
//!
//! ```text
//!   wait for a leader L of term T ─► wait until an entry of T is applied here ─► rewind ─► stream ─► (lost, new
//!        ▲                            (then all of older terms is decided)                           leader) ─┐
//!        └────────────────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Rule: on any doubt the stream ends and all undecided writes are sent again; clients stay connected. Reason and
//! proof: raft-notes.md §4.2–4.3 (rules 6–11), design D7.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::Raft;
use super::applied::Applied;
use super::intake::{Batch, Feeder, Intake, StreamState};
use super::leadership::{Leader, Leadership};
use super::peer::frame::{self, Frame, Kind, protocol};
use super::peer::hello::LinkKind;
use super::peer::link::Link;
use super::peer::peers::Peers;
use super::peer::server::Incoming;
use super::proposer::{Proposer, Run, Window};
use crate::planted::{self, Bug};

/// Bytes of writes that go into one frame or batch.
const RUN_BYTES_MAX: usize = 1 << 20;
/// Pause before a stream of the same term is opened again, so that a leader that refuses is not flooded.
const SAME_TERM_PAUSE: Duration = Duration::from_millis(5);
/// How often a follower asks over the stream itself whether it stands, by a run of no writes; and the longest silence.
/// The leader answers at once, however long its writes wait.
const ASK_EVERY: Duration = Duration::from_millis(250);
const SILENT_MAX: Duration = Duration::from_secs(1);
/// So long nothing of what was sent is decided: the stream may be dead, though neither end was told.
const STALL_MAX: Duration = Duration::from_secs(2);

/// What the dispatcher works with.
pub(crate) struct Dispatch {
    pub proposer: Arc<Proposer>,
    pub applied: Arc<Applied>,
    pub peers: Arc<Peers>,
    pub intake: Intake,
    pub leadership: Leadership,
}

impl Dispatch {
    pub(crate) async fn run(mut self) {
        let mut previous_term = 0;
        loop {
            let leader = self.leadership.wait_for_leader().await;
            if leader.term == previous_term {
                sleep(SAME_TERM_PAUSE).await;
            } else if !self.term_is_applied(leader).await {
                continue;
            }
            let first = self.proposer.rewind(leader.term);
            previous_term = leader.term;
            let mut leadership = self.leadership.clone();
            let ended = tokio::select! {
                biased;
                () = leadership.changed_from(leader) => Ok(()),
                ended = self.stream(leader, first) => ended,
            };
            if let Err(error) = ended {
                tracing::debug!(leader = leader.id, term = leader.term, %error, "stream of writes ended");
            }
        }
    }

    /// Waits until an entry of the leader's term is applied here; `false` if the leader changed before.
    async fn term_is_applied(&self, leader: Leader) -> bool {
        let mut position = self.applied.watch();
        let mut leadership = self.leadership.clone();
        tokio::select! {
            biased;
            _ = position.wait_for(|now| now.term >= leader.term) => true,
            () = leadership.changed_from(leader) => false,
        }
    }

    async fn stream(&self, leader: Leader, first: u64) -> io::Result<()> {
        if leader.id == self.proposer.member() {
            self.local(leader.term).await
        } else {
            tokio::select! {
                ended = self.remote(leader, first) => ended,
                () = self.stalled() => Err(io::ErrorKind::TimedOut.into()),
            }
        }
    }

    /// Resolves when the oldest write that was sent stays undecided.
    async fn stalled(&self) {
        let mut oldest = None;
        loop {
            sleep(STALL_MAX).await;
            let now = self.proposer.oldest_sent();
            if now.is_some() && now == oldest {
                return;
            }
            oldest = now;
        }
    }

    async fn local(&self, term: u64) -> io::Result<()> {
        let stream = Arc::new(StreamState::of(self.proposer.member()));
        let _feeder = Feeder(stream.clone());
        loop {
            let Some(Run { commands, .. }) = self.proposer.take_unsent(RUN_BYTES_MAX) else { return Ok(()) };
            if commands.is_empty() {
                tokio::select! {
                    () = stream.closed() => return Ok(()),
                    () = self.proposer.work() => continue,
                }
            }
            let batch = Batch { term, commands, stream: stream.clone() };
            self.intake.send(batch).await.map_err(|_| io::Error::other("raft has stopped"))?;
            if stream.is_closed() {
                return Ok(());
            }
        }
    }

    async fn remote(&self, leader: Leader, first: u64) -> io::Result<()> {
        let node = self.peers.local.roster.get(leader.id).ok_or_else(|| protocol("the leader is not in the roster"))?;
        let to = Some((leader.id, node.disk_id));
        let dialed = Link::dial(&node.peer_addr, &self.peers.local, to, LinkKind::Log).await;
        let mut link = dialed.map_err(io::Error::other)?;
        let mut out = BytesMut::new();
        let start = frame::begin(&mut out, Kind::ForwardOpen, leader.term);
        out.put_u64(self.proposer.member());
        out.put_u32(self.proposer.boot());
        out.put_u64(first);
        frame::end(&mut out, start);
        link.send(&mut out).await?;
        link.read().await?.expect(Kind::ForwardOpened)?;
        let (mut ask, mut heard) = (interval(ASK_EVERY), Instant::now());
        ask.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let Some(run) = self.proposer.take_unsent(RUN_BYTES_MAX) else { return Ok(()) };
            if run.commands.is_empty() {
                tokio::select! {
                    frame = link.read() => match frame? {
                        Frame { kind: Kind::ForwardOpened, .. } => heard = Instant::now(),
                        closed => return closed.expect(Kind::ForwardClosed).map(drop),
                    },
                    () = self.proposer.work() => {}
                    _ = ask.tick() => {
                        if heard.elapsed() > SILENT_MAX {
                            return Err(io::Error::new(io::ErrorKind::TimedOut, "the stream is silent"));
                        }
                        put_run(&mut out, &run);
                    }
                }
            } else {
                put_run(&mut out, &run);
                if planted::active(Bug::AppliedTwice) && run.first.is_multiple_of(8) {
                    put_run(&mut out, &run);
                }
            }
            let sent = timeout(SILENT_MAX, link.send(&mut out)).await;
            sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        }
    }
}

fn put_run(out: &mut BytesMut, run: &Run) {
    let start = frame::begin(out, Kind::ForwardBatch, run.first);
    for command in &run.commands {
        out.put_u32(u32::try_from(command.len()).unwrap_or(u32::MAX));
        out.put_slice(command);
    }
    frame::end(out, start);
}

/// The leader's end of a follower's stream: one batch after the other into the intake, until something ends it.
pub(crate) async fn receive(
    raft: &Raft,
    intake: &Intake,
    from: u64,
    mut link: Incoming,
    open: Frame,
) -> io::Result<()> {
    let term = open.id;
    let mut out = BytesMut::new();
    let leads = raft.as_leader().is_ok_and(|leader| leader.term() == term);
    frame::put(&mut out, if leads { Kind::ForwardOpened } else { Kind::ForwardClosed }, term, &[]);
    link.send(&mut out).await?;
    if !leads {
        return Ok(());
    }
    let stream = Arc::new(StreamState::of(from));
    let _feeder = Feeder(stream.clone());
    let (mut waiting, mut waiting_bytes) = (VecDeque::<Vec<Bytes>>::new(), 0);
    loop {
        let frame = tokio::select! {
            biased;
            () = stream.closed() => break,
            permit = intake.reserve(), if !waiting.is_empty() => {
                let permit = permit.map_err(|_| io::Error::other("raft has stopped"))?;
                let Some(commands) = waiting.pop_front() else { continue };
                waiting_bytes -= commands.iter().map(Bytes::len).sum::<usize>();
                permit.send(Batch { term, commands, stream: stream.clone() });
                continue;
            }
            frame = link.read(), if waiting_bytes < Window::default().bytes_max => frame?,
        };
        let commands = commands_of(frame)?;
        if commands.is_empty() {
            frame::put(&mut out, Kind::ForwardOpened, term, &[]);
            timeout(SILENT_MAX, link.send(&mut out)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        } else {
            waiting_bytes += commands.iter().map(Bytes::len).sum::<usize>();
            waiting.push_back(commands);
        }
    }
    frame::put(&mut out, Kind::ForwardClosed, term, &[]);
    timeout(Duration::from_secs(1), link.send(&mut out)).await.unwrap_or(Ok(()))
}

fn commands_of(frame: Frame) -> io::Result<Vec<Bytes>> {
    use bytes::Buf;
    let mut body = frame.expect(Kind::ForwardBatch)?;
    let mut commands = Vec::new();
    while !body.is_empty() {
        let len = body.try_get_u32().map_err(|_| protocol("a torn batch of writes"))? as usize;
        if len > body.len() {
            return Err(protocol("a torn batch of writes"));
        }
        commands.push(body.split_to(len));
    }
    Ok(commands)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use coordd_tree::State;
    use openraft::ServerState;
    use tokio::sync::{mpsc, watch};

    use super::super::leadership::View;
    use super::super::peer::double::{Double, local};
    use super::super::types::{Membership, StoredMembership};
    use super::*;

    /// A stream of member 1's writes to member 2, and how long it lasts.
    async fn stream_to(peer: Double) -> Option<io::Result<()>> {
        let (tell, _news) = mpsc::unbounded_channel();
        let (intake, _batches) = mpsc::channel(1);
        let leader = Leader { id: 2, term: 1 };
        let view = View { leader: Some(leader), term: 1, state: ServerState::Follower };
        let (_views, leadership) = watch::channel(view);
        let local = local(1);
        let node = Arc::new(peer).serve(2).await;
        let members = Membership::new(vec![[2].into()], BTreeMap::from([(2, node)])).unwrap();
        local.roster.update(&StoredMembership::new(None, members));
        let dispatch = Dispatch {
            proposer: Arc::new(Proposer::new(1, 1, Window::default())),
            applied: Arc::new(Applied::new(State::new())),
            peers: Arc::new(Peers::new(local, tell)),
            intake,
            leadership: Leadership(leadership),
        };
        timeout(SILENT_MAX * 3, dispatch.stream(leader, 1)).await.ok()
    }

    #[tokio::test]
    async fn a_stream_of_which_nothing_is_heard_ends_though_its_connection_stands() {
        let ended = stream_to(Double { swallows_streams: true, ..Double::default() }).await;
        assert_eq!(ended.expect("it was taken for one that stands").unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn an_idle_stream_that_is_answered_stays() {
        assert!(stream_to(Double::default()).await.is_none());
    }
}
