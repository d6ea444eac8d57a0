//! What a znode costs: memory and time, at the size of the row in issue 3 (500,000 znodes of 64 B, paths /a/bNNN/cNNN).
//!
//! `cargo run --release -p coordd-tree --example memory [ZNODES]` prints resident bytes per znode with the allocator
//! that the daemon uses, after filling and after a snapshot, and the CPU time of each operation (so that other work on
//! the machine does not count).
#![allow(clippy::unwrap_used, reason = "a tool: what it cannot read, it cannot measure")]

use bytes::{Bytes, BytesMut};
use coordd_proto::{Acl, OpCode, Perms, SessionId, Writer, Zxid};
use coordd_tree::{AuthList, Change, Command, MemberRow, Op, Origin, Outcome, SessionOutcome, State};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Resident bytes of this process.
fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 4096.0
}

/// CPU time of this process since `since`, in nanoseconds.
fn cpu_ns(since: f64) -> f64 {
    let schedstat = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    schedstat.split_whitespace().next().unwrap().parse::<f64>().unwrap() - since
}

struct Feed {
    state: State,
    zxid: i64,
    session: SessionId,
    changes: Vec<Change>,
}

impl Feed {
    fn apply(&mut self, op: Op) -> Outcome {
        self.zxid += 1;
        let origin = Origin { member: 1, boot: 1, seq: self.zxid as u64 };
        let command =
            Command { origin, time_ms: self.zxid, session: self.session, attach: 1, auth: AuthList::default(), op };
        self.changes.clear();
        self.state.apply(Zxid(self.zxid), &command, &mut self.changes)
    }

    fn client(&mut self, op: OpCode, record: Bytes) {
        let outcome = self.apply(Op::Client { op, record });
        assert!(matches!(outcome, Outcome::Done(Ok(_))), "{outcome:?}");
    }

    /// Applies all of `records` and prints the time of one.
    fn timed(&mut self, what: &str, op: OpCode, records: &[Bytes]) {
        let start = cpu_ns(0.0);
        for record in records {
            self.client(op, record.clone());
        }
        println!("{what:>24}: {:6.0} ns each", cpu_ns(start) / records.len() as f64);
    }
}

fn record(build: impl FnOnce(&mut Writer<'_>)) -> Bytes {
    let mut out = BytesMut::new();
    build(&mut Writer::new(&mut out));
    out.freeze()
}

fn create(path: &str, data: &[u8]) -> Bytes {
    record(|out| {
        out.string(path);
        out.buffer(Some(data));
        Acl::encode_list(&[Acl::world(Perms::ALL)], out);
        out.i32(0);
    })
}

fn set(path: &str, data: &[u8]) -> Bytes {
    record(|out| {
        out.string(path);
        out.buffer(Some(data));
        out.i32(-1);
    })
}

/// Writes a snapshot as the daemon does, piece by piece, and says how long it is.
fn snapshot(state: &mut State, mut keep: impl FnMut(&[u8])) -> usize {
    let mut piece = BytesMut::new();
    let mut writer = state.begin_snapshot(Bytes::new());
    let mut len = 0;
    loop {
        let more = writer.chunk(state, &mut piece).unwrap();
        keep(&piece);
        len += piece.len();
        piece.clear();
        if !more {
            return len;
        }
    }
}

fn main() {
    let znodes: usize = std::env::args().nth(1).map_or(500_000, |arg| arg.parse().unwrap());
    let mut feed = Feed { state: State::new(), zxid: 0, session: SessionId(0), changes: Vec::new() };
    let row = MemberRow { id: 1, voter: true, peer_addr: String::new(), client_addr: String::new() };
    feed.state.apply_membership(Zxid(0), &[row], &mut Vec::new());
    let Outcome::Session(SessionOutcome::Opened(info)) =
        feed.apply(Op::OpenSession { timeout_ms: 1000, password: [0; 16] })
    else {
        return;
    };
    feed.session = info.id;
    let path = |at: usize| format!("/a/b{:03}/c{:03}", at / 1000, at % 1000);
    let empty = resident();
    feed.client(OpCode::Create, create("/a", b""));
    for dir in 0..znodes.div_ceil(1000) {
        feed.client(OpCode::Create, create(&format!("/a/b{dir:03}"), b""));
    }
    let start = cpu_ns(0.0);
    for at in 0..znodes {
        feed.client(OpCode::Create, create(&path(at), &[7; 64]));
    }
    println!("{:>24}: {:6.0} ns each, records made meanwhile", "create", cpu_ns(start) / znodes as f64);
    let per_znode =
        |what: &str| println!("{what:>24}: {:6.1} B resident per znode", (resident() - empty) / znodes as f64);
    per_znode("filled");

    let start = cpu_ns(0.0);
    let written = snapshot(&mut feed.state, |_| {});
    println!("{:>24}: {:6.0} ms, {} MB", "snapshot", cpu_ns(start) / 1e6, written / 1_000_000);
    std::thread::sleep(std::time::Duration::from_secs(12));
    (0..10_000).for_each(|_| feed.client(OpCode::SetData, set("/a/b000/c000", &[9; 64])));
    per_znode("after a snapshot");

    let hot: Vec<Bytes> = (0..100_000).map(|_| set("/a/b000/c000", &[9; 64])).collect();
    feed.timed("set of one znode", OpCode::SetData, &hot);
    let wide: Vec<Bytes> = (0..100_000).map(|at| set(&path(at * 7919 % znodes), &[8; 64])).collect();
    feed.timed("set of scattered znodes", OpCode::SetData, &wide);
    let longer: Vec<Bytes> = (0..100_000).map(|at| set(&path(at * 7919 % znodes), &[8; 72])).collect();
    feed.timed("set of another length", OpCode::SetData, &longer);
    let fresh: Vec<Bytes> = (0..100_000).map(|at| create(&format!("/a/b000/new{at}"), &[7; 64])).collect();
    feed.timed("create in one parent", OpCode::Create, &fresh);
    let gone: Vec<Bytes> = (0..100_000)
        .map(|at| {
            record(|out| {
                out.string(&format!("/a/b000/new{at}"));
                out.i32(-1);
            })
        })
        .collect();
    feed.timed("delete", OpCode::Delete, &gone);
    drop((hot, wide, longer, fresh, gone));
    let start = cpu_ns(0.0);
    for at in 0..100_000 {
        assert!(feed.state.get_data(&path(at * 7919 % znodes), &[]).is_ok());
    }
    println!("{:>24}: {:6.0} ns each, path made meanwhile", "get, scattered", cpu_ns(start) / 1e5);

    let mut whole = Vec::new();
    snapshot(&mut feed.state, |piece| whole.extend_from_slice(piece));
    let start = cpu_ns(0.0);
    let (loaded, _) = State::load(&whole[..]).unwrap();
    println!("{:>24}: {:6.0} ms", "load", cpu_ns(start) / 1e6);
    assert_eq!(loaded.digest(), feed.state.digest());
}
