//! A state with everything around it that a test needs: numbers that count up, records, readable answers.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use bytes::{Bytes, BytesMut};
use coordd_proto::{Acl, AuthId, OpCode, SessionId, Writer, Zxid};
use coordd_tree::{AuthList, Change, Command, MemberRow, Op, Origin, Outcome, SessionOutcome, State};

pub struct Rig {
    pub state: State,
    pub zxid: i64,
    pub seq: u64,
    pub time_ms: i64,
    pub session: SessionId,
    pub attach: u32,
    pub auth: Vec<AuthId>,
    /// What the newest command changed.
    pub changes: Vec<Change>,
}

pub fn member(id: u64) -> MemberRow {
    MemberRow { id, voter: true, peer_addr: format!("m{id}:2888"), client_addr: format!("m{id}:2181") }
}

pub fn open_acl() -> Vec<Acl> {
    vec![Acl::world(coordd_proto::Perms::ALL)]
}

pub fn record(build: impl FnOnce(&mut Writer<'_>)) -> Bytes {
    let mut out = BytesMut::new();
    build(&mut Writer::new(&mut out));
    out.freeze()
}

pub fn create_record(path: &str, data: Option<&[u8]>, acl: &[Acl], flags: i32, ttl: Option<i64>) -> Bytes {
    record(|out| {
        out.string(path);
        out.buffer(data);
        Acl::encode_list(acl, out);
        out.i32(flags);
        if let Some(ttl) = ttl {
            out.i64(ttl);
        }
    })
}

pub fn path_version(path: &str, version: i32) -> Bytes {
    record(|out| {
        out.string(path);
        out.i32(version);
    })
}

pub fn set_record(path: &str, data: Option<&[u8]>, version: i32) -> Bytes {
    record(|out| {
        out.string(path);
        out.buffer(data);
        out.i32(version);
    })
}

pub fn multi_record(ops: &[(OpCode, Bytes)]) -> Bytes {
    record(|out| {
        for (op, body) in ops {
            out.i32(op.to_wire());
            out.bool(false);
            out.i32(-1);
            out.raw(body);
        }
        out.i32(-1);
        out.bool(true);
        out.i32(-1);
    })
}

impl Rig {
    /// A state of one member, and no session yet.
    pub fn new() -> Rig {
        let mut rig = Rig {
            state: State::new(),
            zxid: 0,
            seq: 0,
            time_ms: 1000,
            session: SessionId::NONE,
            attach: 0,
            auth: Vec::new(),
            changes: Vec::new(),
        };
        rig.members(&[member(1)]);
        rig
    }

    /// With an open session.
    pub fn with_session() -> Rig {
        let mut rig = Rig::new();
        rig.open(4000);
        rig
    }

    pub fn next_zxid(&mut self) -> Zxid {
        self.zxid += 1;
        Zxid(self.zxid)
    }

    pub fn members(&mut self, members: &[MemberRow]) {
        let zxid = self.next_zxid();
        self.changes.clear();
        self.state.apply_membership(zxid, members, &mut self.changes);
    }

    pub fn command(&mut self, op: Op) -> Command {
        self.seq += 1;
        let origin = Origin { member: 1, boot: 1, seq: self.seq };
        let auth: AuthList = self.auth.iter().collect();
        Command { origin, time_ms: self.time_ms, session: self.session, attach: self.attach, auth, op }
    }

    pub fn apply(&mut self, op: Op) -> Outcome {
        let command = self.command(op);
        let zxid = self.next_zxid();
        self.changes.clear();
        self.state.apply(zxid, &command, &mut self.changes)
    }

    pub fn client(&mut self, op: OpCode, record: Bytes) -> Outcome {
        self.apply(Op::Client { op, record })
    }

    pub fn open(&mut self, timeout_ms: i32) -> SessionId {
        let outcome = self.apply(Op::OpenSession { timeout_ms, password: [7; 16] });
        let Outcome::Session(SessionOutcome::Opened(info)) = outcome else { panic!("{outcome:?}") };
        (self.session, self.attach) = (info.id, info.attach);
        info.id
    }

    pub fn create(&mut self, path: &str, data: &str, flags: i32) -> Outcome {
        self.client(OpCode::Create2, create_record(path, Some(data.as_bytes()), &open_acl(), flags, None))
    }

    pub fn must_create(&mut self, path: &str, data: &str, flags: i32) {
        let outcome = self.create(path, data, flags);
        assert!(matches!(outcome, Outcome::Done(Ok(_))), "{path}: {outcome:?}");
    }

    pub fn set(&mut self, path: &str, data: &str, version: i32) -> Outcome {
        self.client(OpCode::SetData, set_record(path, Some(data.as_bytes()), version))
    }

    pub fn delete(&mut self, path: &str, version: i32) -> Outcome {
        self.client(OpCode::Delete, path_version(path, version))
    }
}

pub fn snapshot(state: &mut State) -> Vec<u8> {
    let mut writer = state.begin_snapshot(Bytes::from_static(b"meta"));
    let mut out = BytesMut::new();
    while writer.chunk(state, &mut out).unwrap() {}
    out.to_vec()
}

/// Everything that can be seen of the znodes, by path.
pub fn dump(state: &State) -> String {
    let root = [AuthId::new("super", "")];
    let mut lines = Vec::new();
    let mut todo = vec!["/".to_owned()];
    while let Some(path) = todo.pop() {
        let (data, stat) = state.get_data(&path, &root).unwrap();
        let acl = state.get_acl(&path, &root).unwrap().0;
        let acl: Vec<String> = acl.iter().map(|acl| format!("{}:{}", acl.id, acl.perms.0)).collect();
        let data = data.map_or_else(|| "null".to_owned(), |data| format!("{:?}", String::from_utf8_lossy(data)));
        lines.push(format!(
            "{path} {data} c={:x}@{} m={:x}@{} p={:x} v={} cv={} av={} owner={:x} children={} acl={}",
            stat.czxid.0,
            stat.ctime,
            stat.mzxid.0,
            stat.mtime,
            stat.pzxid.0,
            stat.version,
            stat.cversion,
            stat.aversion,
            stat.ephemeral_owner.0,
            stat.num_children,
            acl.join(",")
        ));
        let (names, _) = state.children(&path, &root).unwrap();
        let at = todo.len();
        todo.extend(names.map(|name| if path == "/" { format!("/{name}") } else { format!("{path}/{name}") }));
        todo[at..].reverse();
    }
    lines.join("\n") + "\n"
}
