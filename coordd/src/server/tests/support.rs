//! A consensus of one member without a log, and a client that sees every byte.
//!
//! Rule: the double keeps the seam's promises (order, one sink call a write, hooks before the sink, the guard held) and
//! nothing more, so that a test can hold back commits, answers and barriers.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use coordd_proto::{
    Acl, ConnectRequest, ConnectResponse, ErrorCode, OpCode, Perms, Reader, ReplyHeader, SessionId, Stat, Writer, Xid,
    Zxid, begin_frame, end_frame,
};
use coordd_tree::{Command, MemberRow, Op, Origin, Outcome, SessionOutcome, State};
use parking_lot::{Mutex, RwLock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::consensus::{ApplyHook, BarrierSink, BoxFuture, Consensus, Role, Status, Write};
use crate::server::{AllowList, Hub, Server, ServerConfig};

pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Commits writes at once, or when told.
pub(crate) struct Double {
    state: RwLock<State>,
    hub: Arc<Hub>,
    waiting: Mutex<VecDeque<Write>>,
    barriers: Mutex<Vec<Arc<dyn BarrierSink>>>,
    seq: Mutex<u64>,
    /// Writes and barriers wait for `commit` while set.
    pub holding: AtomicBool,
    pub answering: Arc<AtomicBool>,
    pub roomy: AtomicBool,
    pub full: AtomicBool,
    pub proposals: AtomicUsize,
    answer: Arc<Notify>,
    status: watch::Sender<Arc<Status>>,
}

impl Double {
    fn new(hub: Arc<Hub>) -> Arc<Double> {
        let mut state = State::new();
        let row = MemberRow { id: 1, voter: true, peer_addr: "h:2888".into(), client_addr: "h:2181".into() };
        state.apply_membership(Zxid(1), &[row], &mut Vec::new());
        let status = Status {
            ensemble_id: None,
            node_id: Some(1),
            name: "m1".into(),
            role: Role::Leader,
            term: 1,
            leader: Some(1),
            members: Vec::new(),
            membership_index: 1,
            last_log_index: 1,
            last_log_term: 1,
            committed_index: 1,
            applied_index: 1,
            log_unsynced_bytes: 0,
            feature_level: 1,
            undecided_writes: 0,
            lag: Vec::new(),
            heard: Vec::new(),
            not_serving: None,
        };
        Arc::new(Double {
            state: RwLock::new(state),
            hub,
            waiting: Mutex::default(),
            barriers: Mutex::default(),
            seq: Mutex::new(0),
            holding: AtomicBool::new(false),
            answering: Arc::new(AtomicBool::new(true)),
            roomy: AtomicBool::new(true),
            full: AtomicBool::new(false),
            proposals: AtomicUsize::new(0),
            answer: Arc::default(),
            status: watch::channel(Arc::new(status)).0,
        })
    }

    /// Applies one command as a log would, whoever sends it.
    pub(crate) fn apply(&self, session: SessionId, attach: u32, op: Op) -> Outcome {
        let mut state = self.state.write();
        let (zxid, outcome) = self.apply_under(&mut state, session, attach, Default::default(), op);
        drop(state);
        self.hub.batch_done(zxid);
        outcome
    }

    /// The same in the midst of a batch: nobody is told before the batch is done.
    pub(crate) fn apply_within_batch(&self, session: SessionId, op: Op) {
        self.apply_under(&mut self.state.write(), session, 1, Default::default(), op);
    }

    fn apply_under(
        &self,
        state: &mut State,
        session: SessionId,
        attach: u32,
        auth: coordd_tree::AuthList,
        op: Op,
    ) -> (Zxid, Outcome) {
        let zxid = Zxid(state.last_zxid().0 + 1);
        let mut seq = self.seq.lock();
        *seq += 1;
        let origin = Origin { member: 1, boot: 1, seq: *seq };
        let command = Command { origin, time_ms: 1000 + zxid.0, session, attach, auth, op };
        let mut changes = Vec::new();
        let outcome = state.apply(zxid, &command, &mut changes);
        if !changes.is_empty() {
            self.hub.changed(state, zxid, &changes);
        }
        match &outcome {
            Outcome::Session(SessionOutcome::Attached(info)) => self.hub.session_attached(info.id, info.attach),
            Outcome::Session(SessionOutcome::Ended(id)) => self.hub.session_ended(*id),
            _ => {}
        }
        (zxid, outcome)
    }

    fn commit_one(&self) -> bool {
        let Some(write) = self.waiting.lock().pop_front() else { return false };
        let Write { session, attach, auth, op, sink } = write;
        let mut state = self.state.write();
        let (zxid, outcome) = self.apply_under(&mut state, session, attach, auth, op);
        sink.applied(&state, zxid, outcome);
        true
    }

    /// Commits up to `n` of the writes that wait, as one batch.
    pub(crate) fn commit(&self, n: usize) -> usize {
        let done = (0..n).take_while(|_| self.commit_one()).count();
        let applied = self.state.read().last_zxid();
        self.hub.batch_done(applied);
        done
    }

    /// Commits `n` writes once so many wait.
    pub(crate) async fn settle(&self, n: usize) {
        while self.waiting() < n {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(self.commit(n), n);
    }

    pub(crate) async fn pass_barriers(&self) {
        while self.barriers.lock().is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let barriers = std::mem::take(&mut *self.barriers.lock());
        let state = self.state.read();
        barriers.iter().for_each(|barrier| barrier.passed(&state));
    }

    /// The outcome of everything that waits cannot be known.
    pub(crate) async fn lose(&self) {
        while self.waiting() == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let waiting = std::mem::take(&mut *self.waiting.lock());
        waiting.iter().for_each(|write| write.sink.lost());
    }

    pub(crate) fn answer_again(&self) {
        self.answering.store(true, Ordering::SeqCst);
        self.answer.notify_waiters();
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.lock().len()
    }

    /// Puts `state` in the place of the present one, as an installed snapshot does.
    pub(crate) fn replace_state(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.write();
        change(&mut state);
        self.hub.state_replaced(&state);
        let applied = state.last_zxid();
        drop(state);
        self.hub.batch_done(applied);
    }

    pub(crate) fn not_serving(&self, why: Option<&str>) {
        self.status.send_modify(|status| Arc::make_mut(status).not_serving = why.map(str::to_owned));
    }
}

impl Consensus for Double {
    fn propose(&self, writes: &mut Vec<Write>) {
        self.proposals.fetch_add(1, Ordering::SeqCst);
        self.waiting.lock().extend(writes.drain(..));
        if !self.holding.load(Ordering::SeqCst) {
            self.commit(usize::MAX);
        }
    }

    fn barrier(&self, sink: Arc<dyn BarrierSink>) {
        self.barriers.lock().push(sink);
    }

    fn state(&self) -> &RwLock<State> {
        &self.state
    }

    fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.status.subscribe()
    }

    fn has_room(&self) -> bool {
        self.roomy.load(Ordering::SeqCst)
    }

    fn room(&self) -> BoxFuture<()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(20)))
    }

    fn may_answer(&self) -> bool {
        self.answering.load(Ordering::SeqCst)
    }

    fn answerable(&self) -> BoxFuture<()> {
        let (answering, answer) = (self.answering.clone(), self.answer.clone());
        Box::pin(async move {
            while !answering.load(Ordering::SeqCst) {
                let _ = timeout(Duration::from_millis(10), answer.notified()).await;
            }
        })
    }

    fn refused(&self, grows: bool) -> Option<ErrorCode> {
        (grows && self.full.load(Ordering::SeqCst)).then_some(ErrorCode::SystemError)
    }
}

/// A member: the double below, the port above.
pub(crate) struct Member {
    pub hub: Arc<Hub>,
    pub double: Arc<Double>,
    pub server: Server,
}

impl Member {
    pub(crate) async fn start() -> Member {
        Member::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut ServerConfig)) -> Member {
        Member::over(Hub::new(16 << 20), change).await
    }

    pub(crate) async fn with_outbox(max_bytes: usize) -> Member {
        Member::over(Hub::new(max_bytes), |_| {}).await
    }

    async fn over(hub: Arc<Hub>, change: impl FnOnce(&mut ServerConfig)) -> Member {
        let double = Double::new(hub.clone());
        let mut config = ServerConfig::new(SocketAddr::from(([127, 0, 0, 1], 0)));
        config.four_letter_words = AllowList::parse("*");
        change(&mut config);
        let server = Server::start(config, hub.clone(), double.clone()).await.unwrap();
        Member { hub, double, server }
    }

    pub(crate) async fn raw(&self) -> Raw {
        let stream = TcpStream::connect(self.server.address()).await.unwrap();
        Raw { stream, input: BytesMut::new() }
    }

    /// A client with a new session.
    pub(crate) async fn client(&self) -> Client {
        self.attach(SessionId::NONE, [0; 16]).await.unwrap()
    }

    pub(crate) async fn attach(&self, session: SessionId, password: [u8; 16]) -> Option<Client> {
        let mut raw = self.raw().await;
        raw.connect(Zxid(0), session, &password, Some(false)).await;
        let response = ConnectResponse::decode(&raw.frame().await?).unwrap();
        (response.timeout_ms > 0).then_some(Client { raw, session: response.session, password: response.password })
    }
}

/// A socket, frame by frame.
pub(crate) struct Raw {
    pub stream: TcpStream,
    input: BytesMut,
}

impl Raw {
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn connect(&mut self, seen: Zxid, session: SessionId, password: &[u8], read_only: Option<bool>) {
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: seen,
            timeout_ms: 30_000,
            session,
            password: Some(password),
            read_only,
        };
        let mut out = BytesMut::new();
        request.encode_frame(&mut out);
        self.send(&out).await;
    }

    /// The next frame without its length; `None` when the server closed.
    pub(crate) async fn frame(&mut self) -> Option<Bytes> {
        loop {
            if let Some(len) = self.input.first_chunk::<4>() {
                let len = i32::from_be_bytes(*len) as usize;
                if self.input.len() >= 4 + len {
                    return Some(self.input.split_to(4 + len).freeze().slice(4..));
                }
            }
            match timeout(PATIENCE, self.stream.read_buf(&mut self.input)).await.expect("an answer in time") {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    pub(crate) async fn is_closed(&mut self) -> bool {
        self.frame().await.is_none()
    }

    /// Everything until the server closes.
    pub(crate) async fn text(&mut self) -> String {
        let mut all = Vec::new();
        timeout(PATIENCE, self.stream.read_to_end(&mut all)).await.expect("a close in time").unwrap();
        String::from_utf8(all).unwrap()
    }

    /// Whether nothing arrives for a while.
    pub(crate) async fn is_quiet(&mut self) -> bool {
        self.input.is_empty()
            && timeout(Duration::from_millis(80), self.stream.read_buf(&mut self.input)).await.is_err()
    }
}

/// A reply or an event.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Got {
    pub xid: i32,
    pub zxid: i64,
    pub err: i32,
    pub body: Bytes,
}

impl Got {
    pub(crate) fn stat(&self) -> Stat {
        Stat::decode(&mut Reader::new(&self.body)).unwrap()
    }

    /// (type, path) of an event.
    pub(crate) fn event(&self) -> (i32, String) {
        assert_eq!(self.xid, -1, "{self:?} is no event");
        let mut r = Reader::new(&self.body);
        let (kind, _state) = (r.i32().unwrap(), r.i32().unwrap());
        (kind, r.string().unwrap().unwrap().into_owned())
    }

    pub(crate) fn data(&self) -> Option<Bytes> {
        assert_eq!(self.err, 0, "{self:?}");
        Reader::new(&self.body).buffer().unwrap().map(Bytes::copy_from_slice)
    }

    pub(crate) fn code(&self) -> Option<ErrorCode> {
        ErrorCode::from_wire(self.err)
    }
}

/// A client with a session.
pub(crate) struct Client {
    pub raw: Raw,
    pub session: SessionId,
    pub password: [u8; 16],
}

impl Client {
    pub(crate) async fn send(&mut self, xid: i32, op: OpCode, record: impl FnOnce(&mut Writer<'_>)) {
        let mut out = BytesMut::new();
        frame(&mut out, xid, op.to_wire(), record);
        self.raw.send(&out).await;
    }

    pub(crate) async fn got(&mut self) -> Got {
        decode(&self.raw.frame().await.expect("still open"))
    }

    pub(crate) async fn ask(&mut self, xid: i32, op: OpCode, record: impl FnOnce(&mut Writer<'_>)) -> Got {
        self.send(xid, op, record).await;
        self.got().await
    }

    pub(crate) async fn create(&mut self, xid: i32, path: &str, data: &[u8]) -> Got {
        self.ask(xid, OpCode::Create, |w| create(w, path, data, 0)).await
    }

    pub(crate) async fn set(&mut self, xid: i32, path: &str, data: &[u8]) -> Got {
        self.ask(xid, OpCode::SetData, |w| set(w, path, data)).await
    }
}

pub(crate) fn decode(frame: &Bytes) -> Got {
    let header = ReplyHeader::decode(&mut Reader::new(frame)).unwrap();
    Got { xid: header.xid.0, zxid: header.zxid.0, err: header.error, body: frame.slice(ReplyHeader::WIRE_LEN..) }
}

pub(crate) fn frame(out: &mut BytesMut, xid: i32, op: i32, record: impl FnOnce(&mut Writer<'_>)) {
    let start = begin_frame(out);
    let mut w = Writer::new(out);
    w.i32(Xid(xid).0);
    w.i32(op);
    record(&mut w);
    end_frame(out, start);
}

pub(crate) fn create(w: &mut Writer<'_>, path: &str, data: &[u8], flags: i32) {
    create_with(w, path, data, flags, &[Acl::world(Perms::ALL)]);
}

pub(crate) fn create_with(w: &mut Writer<'_>, path: &str, data: &[u8], flags: i32, acl: &[Acl]) {
    w.string(path);
    w.buffer(Some(data));
    Acl::encode_list(acl, w);
    w.i32(flags);
}

pub(crate) fn set(w: &mut Writer<'_>, path: &str, data: &[u8]) {
    w.string(path);
    w.buffer(Some(data));
    w.i32(-1);
}

pub(crate) fn read(w: &mut Writer<'_>, path: &str, watch: bool) {
    w.string(path);
    w.bool(watch);
}

pub(crate) fn delete(w: &mut Writer<'_>, path: &str) {
    w.string(path);
    w.i32(-1);
}
