//! The leader's side of liveness: takes reports in, acknowledges them, and expires what is due.
//!
//! Rule: a report is acknowledged only after a quorum round that began after it came in (ReadIndex), so no leader that
//! was deposed without knowing opens a gate. A new leader's book begins with the sessions of the state, and with news
//! from after that look: older ones may name a session that a snapshot ended without a word. Expiries are proposed a
//! few at a time: ten thousand at once would stand before everyone else's writes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use coordd_proto::{SessionId, Zxid};
use coordd_tree::{AuthList, Op, Outcome, State};
use openraft::async_runtime::watch::WatchReceiver;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::deadlines::{Attachment, Deadlines};
use crate::clock;
use crate::consensus::{Write, WriteSink};
use crate::planted::{self, Bug};
use crate::raft::applied::Applied;
use crate::raft::leadership::Leadership;
use crate::raft::peer::call::{ContactAnswer, ContactReport};
use crate::raft::proposer::Proposer;
use crate::raft::{ANSWER_BOUND_MAX_MS, Raft};

/// Expiries that may be undecided at a time.
const IN_FLIGHT_MAX: usize = 64;
const EVERY: Duration = Duration::from_millis(50);

/// What apply tells the desk.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SessionNews {
    Attached(Attachment),
    Ended(SessionId),
}

/// Where reports come in; does nothing unless this member leads.
pub(crate) struct ContactDesk {
    raft: Raft,
    book: Mutex<Option<Deadlines>>,
    /// Each once, however often it is found to be due before it can be proposed.
    due: Mutex<BTreeSet<(SessionId, u32)>>,
    /// Who said in its newest report that it is short of disk.
    short: Mutex<BTreeSet<u64>>,
}

impl ContactDesk {
    pub(crate) fn new(raft: Raft) -> ContactDesk {
        ContactDesk { raft, book: Mutex::new(None), due: Mutex::default(), short: Mutex::default() }
    }

    /// When each session is due, while this member leads.
    pub(crate) fn expiries(&self) -> Option<Vec<(SessionId, u64)>> {
        self.book.lock().as_ref().map(|book| book.left(clock::monotonic_ms()))
    }

    pub(crate) async fn receive(&self, member: u64, report: &ContactReport) -> ContactAnswer {
        {
            let mut book = self.book.lock();
            let Some(book) = book.as_mut() else { return ContactAnswer::NotLeader };
            if !book.report(member, clock::monotonic_ms(), report) {
                return ContactAnswer::Wait;
            }
            let due = book.due_by_report(member, report.sent_ms);
            if !due.is_empty() {
                self.due.lock().extend(due);
            }
        }
        match report.short_of_disk {
            true => self.short.lock().insert(member),
            false => self.short.lock().remove(&member),
        };
        match self.raft.get_read_linearizer(openraft::ReadPolicy::ReadIndex).await {
            Ok(linearizer) => {
                let read_index = linearizer.read_log_id().index();
                ContactAnswer::Acknowledged { read_index, most_are_short: self.most_are_short() }
            }
            Err(_) => ContactAnswer::NotLeader,
        }
    }
}

impl ContactDesk {
    /// Whether a member is short of disk, as far as it told this one.
    pub(crate) fn is_short(&self, member: u64) -> bool {
        self.short.lock().contains(&member)
    }

    fn most_are_short(&self) -> bool {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let (mut voters, mut short) = (0, 0);
        for voter in metrics.membership_config.voter_ids() {
            voters += 1;
            short += usize::from(self.is_short(voter));
        }
        // What is left is no majority.
        (voters - short) * 2 <= voters
    }
}

/// What the expirer works with.
pub(crate) struct Expirer {
    pub member: u64,
    pub desk: Arc<ContactDesk>,
    pub applied: Arc<Applied>,
    pub proposer: Arc<Proposer>,
    pub leadership: Leadership,
    pub news: mpsc::UnboundedReceiver<SessionNews>,
}

impl Expirer {
    pub(crate) async fn run(mut self) {
        let in_flight = Arc::new(AtomicUsize::new(0));
        let mut proposed: std::collections::HashSet<(SessionId, u32)> = Default::default();
        let mut leading_term = None;
        let mut tick = interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let leads = self.leadership.leader().filter(|leader| leader.id == self.member).map(|leader| leader.term);
            if leads != leading_term {
                self.change_term(leads).await;
                leading_term = leads;
                proposed.clear();
            }
            self.take_news(&mut proposed);
            if let Some(term) = leads {
                self.expire(term, &in_flight, &mut proposed);
            }
        }
    }

    /// Begins a new book when this member starts to lead, after an entry of its term is applied; drops it when it
    /// stops.
    async fn change_term(&mut self, leads: Option<u64>) {
        *self.desk.book.lock() = None;
        self.desk.due.lock().clear();
        let Some(term) = leads else { return };
        let mut position = self.applied.watch();
        let mut leadership = self.leadership.clone();
        tokio::select! {
            _ = position.wait_for(|now| now.term >= term) => {}
            _ = leadership.0.wait_for(|view| view.leader.is_none_or(|leader| leader.term != term)) => return,
        }
        let applied = self.applied.clone();
        let state = applied.state.read();
        if planted::active(Bug::ExpireOnLeaderChange) {
            self.desk.due.lock().extend(state.sessions().map(|session| (session.id, session.attach)));
        }
        *self.desk.book.lock() = Some(begin_book(&state, &mut self.news));
    }

    fn take_news(&mut self, proposed: &mut std::collections::HashSet<(SessionId, u32)>) {
        let mut book = self.desk.book.lock();
        while let Ok(news) = self.news.try_recv() {
            let Some(book) = book.as_mut() else { continue };
            match news {
                SessionNews::Attached(at) => book.attached(at),
                SessionNews::Ended(session) => book.ended(session),
            }
        }
        if let Some(book) = book.as_mut() {
            self.desk.due.lock().extend(book.due_by_silence(clock::monotonic_ms()));
            proposed.retain(|(session, _)| book.knows(*session));
        }
    }

    fn expire(
        &self,
        term: u64,
        in_flight: &Arc<AtomicUsize>,
        proposed: &mut std::collections::HashSet<(SessionId, u32)>,
    ) {
        let mut writes = Vec::new();
        let mut due = self.desk.due.lock();
        while in_flight.load(Ordering::Relaxed) < IN_FLIGHT_MAX
            && let Some((session, attach)) = due.pop_first()
        {
            if !proposed.insert((session, attach)) {
                continue;
            }
            in_flight.fetch_add(1, Ordering::Relaxed);
            let sink: Arc<dyn WriteSink> = Arc::new(InFlight(in_flight.clone()));
            let op = Op::ExpireSession { attach };
            writes.push(Write { session, attach, auth: AuthList::default(), op, sink });
        }
        drop(due);
        self.proposer.expire(term, &mut writes);
    }
}

/// The book of a leadership that begins with `state`. Its guard is held, and apply tells news under it: those that are
/// queued are older.
fn begin_book(state: &State, news: &mut mpsc::UnboundedReceiver<SessionNews>) -> Deadlines {
    while news.try_recv().is_ok() {}
    let sessions = state.sessions().map(|session| Attachment {
        session: session.id,
        attach: session.attach,
        member: session.member,
        timeout_ms: u64::try_from(session.timeout_ms).unwrap_or(0),
    });
    Deadlines::begin(clock::monotonic_ms(), ANSWER_BOUND_MAX_MS, sessions)
}

/// Counts an expiry until it is decided.
struct InFlight(Arc<AtomicUsize>);

impl WriteSink for InFlight {
    fn applied(&self, _: &State, _: Zxid, _: Outcome) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    fn lost(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io;
    use std::path::Path;
    use std::sync::atomic::AtomicU64;

    use futures_util::future::poll_immediate;
    use tokio::sync::watch;
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::consensus::BoxFuture;
    use crate::net::TcpListener;
    use crate::raft::core::{self, Core};
    use crate::raft::peer::call::{Answer, Call, Probed};
    use crate::raft::peer::frame::Frame;
    use crate::raft::peer::server::{self, Handler, Incoming};
    use crate::raft::peer::{Identity, double};
    use crate::raft::types::{AppendRequest, AppendResponse, Node, VoteResponse};

    #[test]
    fn what_was_told_before_a_leadership_began_puts_no_ghost_into_its_book() {
        let (tell, mut news) = mpsc::unbounded_channel();
        let ghost = Attachment { session: SessionId(7), attach: 1, member: 2, timeout_ms: 1000 };
        tell.send(SessionNews::Attached(ghost)).unwrap();
        let book = begin_book(&State::new(), &mut news);
        assert!(!book.knows(SessionId(7)));
        assert!(news.try_recv().is_err(), "it comes in later neither");
    }

    /// A follower that votes for anyone and acknowledges heartbeats when it is let.
    #[derive(Default)]
    struct Follower {
        /// How many heartbeats may be answered, all told.
        answered_max: watch::Sender<u64>,
        came: AtomicU64,
    }

    impl Follower {
        fn lets(&self, answered_max: u64) {
            self.answered_max.send_replace(answered_max);
        }

        fn came(&self) -> u64 {
            self.came.load(Ordering::Relaxed)
        }
    }

    impl Handler for Follower {
        fn probed(&self) -> Probed {
            unreachable!("nobody asks")
        }

        fn call(&self, _: Identity, call: Call) -> BoxFuture<Answer> {
            let answer = match call {
                Call::Vote(ask) | Call::PreVote(ask) => Answer::Vote(VoteResponse::new(ask.vote, None, true)),
                _ => Answer::Done,
            };
            Box::pin(std::future::ready(answer))
        }

        fn append(&self, _: AppendRequest) -> BoxFuture<io::Result<AppendResponse>> {
            let place = self.came.fetch_add(1, Ordering::Relaxed) + 1;
            let mut answered_max = self.answered_max.subscribe();
            Box::pin(async move {
                let _ = answered_max.wait_for(|max| *max >= place).await;
                Ok(AppendResponse::Success)
            })
        }

        fn forward(&self, _: Identity, _: Incoming, _: Frame) -> BoxFuture<io::Result<()>> {
            Box::pin(std::future::ready(Ok(())))
        }

        fn snapshot(&self, _: Incoming, _: Frame) -> BoxFuture<io::Result<()>> {
            Box::pin(std::future::ready(Ok(())))
        }

        fn heard(&self, _: &Identity) {}
    }

    /// The leader of an ensemble of itself and `follower`, with its book open.
    async fn leader_of(follower: &Arc<Follower>, dir: &Path) -> Core {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer_addr = listener.local_addr().unwrap().to_string();
        tokio::spawn(server::serve(listener, double::local(2), follower.clone()));
        let core = Core::start(core::tests::parts(dir, Arc::new(|| {}))).await.unwrap();
        let node = Node { disk_id: "d2".into(), peer_addr, ..Node::default() };
        core.raft.initialize(BTreeMap::from([(1, Node::default()), (2, node)])).await.unwrap();
        while core.desk.expiries().is_none() {
            sleep(Duration::from_millis(10)).await;
        }
        core
    }

    #[tokio::test]
    async fn a_report_is_acknowledged_by_a_round_that_began_after_it_came() {
        let (dir, follower) = (tempfile::tempdir().unwrap(), Arc::<Follower>::default());
        follower.lets(u64::MAX);
        let core = leader_of(&follower, dir.path()).await;
        let report = ContactReport {
            boot: 1,
            sent_ms: 1,
            bound_ms: 250,
            grace_ms: 0,
            contacts: Vec::new(),
            short_of_disk: false,
        };
        let acknowledged = |answer| matches!(answer, ContactAnswer::Acknowledged { .. });
        assert!(acknowledged(core.desk.receive(2, &report).await));
        follower.lets(0);
        let before = follower.came();
        while follower.came() == before {
            sleep(Duration::from_millis(5)).await;
        }
        let receiving = core.desk.receive(2, &report);
        tokio::pin!(receiving);
        assert!(poll_immediate(&mut receiving).await.is_none());
        // What was on its way by then proves that a quorum followed this leader before the report, not after it.
        follower.lets(follower.came());
        let answer = timeout(Duration::from_millis(300), &mut receiving).await;
        assert!(!answer.is_ok_and(acknowledged), "nobody has confirmed this leader since");
        follower.lets(u64::MAX);
        while !acknowledged(core.desk.receive(2, &report).await) {}
    }
}
