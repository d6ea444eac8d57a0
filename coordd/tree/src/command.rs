//! What a log entry asks of the state, and its bytes.
//!
//! ```text
//!   format:u8 │ kind:u8 │ member:u64 │ boot:u32 │ seq:u64 │ time_ms:i64 │ session:i64 │ attach:u32
//!             │ auth_len:u32 │ auth │ op
//! ```
//!
//! Rule: the bytes are written once by the member that proposes and never change (design D19: the format comes first,
//! an unknown format or kind is an error that stops the member, never something to skip). Decoding copies nothing: the
//! record of a client's request and the identities stay slices of the log entry.

use bytes::{Buf, BufMut, Bytes, BytesMut, TryGetError};
use coordd_proto::{OpCode, SessionId, Zxid};

use crate::auth::AuthList;

/// The format that this release writes; it reads the same.
pub const COMMAND_FORMAT: u8 = 1;

const HEADER_LEN: usize = 2 + 8 + 4 + 8 + 8 + 8 + 4 + 4;

/// Which member proposed, in which of its lives, as its how-manieth (design D7).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Origin {
    pub member: u64,
    pub boot: u32,
    pub seq: u64,
}

/// A write as it stands in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command {
    pub origin: Origin,
    /// Wall clock of the leader, milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// Whose request this is; `SessionId::NONE` for what no session asks.
    pub session: SessionId,
    /// The attach number under which the connection held its session.
    pub attach: u32,
    pub auth: AuthList,
    pub op: Op,
}

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// A client's write: its operation and its jute record as it came.
    Client { op: OpCode, record: Bytes },
    /// A new session; its id is the zxid of this entry.
    OpenSession { timeout_ms: i32, password: [u8; 16] },
    /// `Command::session` moves to a connection at `member`; its attach number rises.
    AttachSession { password: [u8; 16], timeout_ms: i32, member: u64 },
    /// The client ends its session.
    CloseSession,
    /// The leader ends `Command::session`, unless it was attached anew since `attach`.
    ExpireSession { attach: u32 },
    /// Deletes a container or TTL znode that is due, if it still is.
    Reap { path: String, czxid: Zxid },
    /// Every voter understands this level; it never falls.
    RaiseFeatureLevel(u32),
    /// zxids of later entries count from here; it never falls.
    SetZxidBase(i64),
}

/// Why bytes are no command. The member that meets one stops: it cannot know what its peers did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("command format {0} is not known here; this member is older than the entry")]
    UnknownFormat(u8),
    #[error("command kind {0} is not known here; this member is older than the entry")]
    UnknownKind(u8),
    #[error("operation {0} is not known here; this member is older than the entry")]
    UnknownOperation(i32),
    #[error("the command ends {missing} bytes early")]
    Truncated { missing: usize },
    #[error("a path in the command is not UTF-8")]
    PathNotUtf8,
}

impl From<TryGetError> for CommandError {
    fn from(error: TryGetError) -> Self {
        CommandError::Truncated { missing: error.requested - error.available }
    }
}

impl Op {
    fn kind(&self) -> u8 {
        match self {
            Op::Client { .. } => 1,
            Op::OpenSession { .. } => 2,
            Op::AttachSession { .. } => 3,
            Op::CloseSession => 4,
            Op::ExpireSession { .. } => 5,
            Op::Reap { .. } => 6,
            Op::RaiseFeatureLevel(_) => 7,
            Op::SetZxidBase(_) => 8,
        }
    }

    fn encoded_len(&self) -> usize {
        match self {
            Op::Client { record, .. } => 4 + record.len(),
            Op::OpenSession { .. } => 4 + 16,
            Op::AttachSession { .. } => 16 + 4 + 8,
            Op::CloseSession => 0,
            Op::ExpireSession { .. } | Op::RaiseFeatureLevel(_) => 4,
            Op::Reap { path, .. } => 8 + path.len(),
            Op::SetZxidBase(_) => 8,
        }
    }

    fn encode(&self, out: &mut BytesMut) {
        match self {
            Op::Client { op, record } => {
                out.put_i32(op.to_wire());
                out.put_slice(record);
            }
            Op::OpenSession { timeout_ms, password } => {
                out.put_i32(*timeout_ms);
                out.put_slice(password);
            }
            Op::AttachSession { password, timeout_ms, member } => {
                out.put_slice(password);
                out.put_i32(*timeout_ms);
                out.put_u64(*member);
            }
            Op::CloseSession => {}
            Op::ExpireSession { attach } => out.put_u32(*attach),
            Op::Reap { path, czxid } => {
                out.put_i64(czxid.0);
                out.put_slice(path.as_bytes());
            }
            Op::RaiseFeatureLevel(level) => out.put_u32(*level),
            Op::SetZxidBase(base) => out.put_i64(*base),
        }
    }

    fn decode(kind: u8, mut rest: Bytes) -> Result<Op, CommandError> {
        Ok(match kind {
            1 => {
                let code = rest.try_get_i32()?;
                let op = OpCode::from_wire(code).ok_or(CommandError::UnknownOperation(code))?;
                Op::Client { op, record: rest }
            }
            2 => Op::OpenSession { timeout_ms: rest.try_get_i32()?, password: array(&mut rest)? },
            3 => Op::AttachSession {
                password: array(&mut rest)?,
                timeout_ms: rest.try_get_i32()?,
                member: rest.try_get_u64()?,
            },
            4 => Op::CloseSession,
            5 => Op::ExpireSession { attach: rest.try_get_u32()? },
            6 => {
                let czxid = Zxid(rest.try_get_i64()?);
                let path = std::str::from_utf8(&rest).map_err(|_| CommandError::PathNotUtf8)?;
                Op::Reap { path: path.to_owned(), czxid }
            }
            7 => Op::RaiseFeatureLevel(rest.try_get_u32()?),
            8 => Op::SetZxidBase(rest.try_get_i64()?),
            other => return Err(CommandError::UnknownKind(other)),
        })
    }
}

fn array<const N: usize>(from: &mut Bytes) -> Result<[u8; N], CommandError> {
    let mut out = [0; N];
    from.try_copy_to_slice(&mut out)?;
    Ok(out)
}

impl Command {
    pub fn encoded_len(&self) -> usize {
        HEADER_LEN + self.auth.encoded().len() + self.op.encoded_len()
    }

    pub fn encode(&self, out: &mut BytesMut) {
        out.put_u8(COMMAND_FORMAT);
        out.put_u8(self.op.kind());
        out.put_u64(self.origin.member);
        out.put_u32(self.origin.boot);
        out.put_u64(self.origin.seq);
        out.put_i64(self.time_ms);
        out.put_i64(self.session.0);
        out.put_u32(self.attach);
        let auth = self.auth.encoded();
        out.put_u32(u32::try_from(auth.len()).unwrap_or(u32::MAX));
        out.put_slice(auth);
        self.op.encode(out);
    }

    pub fn decode(bytes: &Bytes) -> Result<Command, CommandError> {
        let mut rest = bytes.clone();
        let format = rest.try_get_u8()?;
        if format != COMMAND_FORMAT {
            return Err(CommandError::UnknownFormat(format));
        }
        let kind = rest.try_get_u8()?;
        let origin = Origin { member: rest.try_get_u64()?, boot: rest.try_get_u32()?, seq: rest.try_get_u64()? };
        let time_ms = rest.try_get_i64()?;
        let session = SessionId(rest.try_get_i64()?);
        let attach = rest.try_get_u32()?;
        let auth_len = usize::try_from(rest.try_get_u32()?).unwrap_or(usize::MAX);
        if auth_len > rest.len() {
            return Err(CommandError::Truncated { missing: auth_len - rest.len() });
        }
        let auth = AuthList::from_encoded(rest.split_to(auth_len));
        Ok(Command { origin, time_ms, session, attach, auth, op: Op::decode(kind, rest)? })
    }
}

#[cfg(test)]
mod tests {
    use coordd_proto::AuthId;

    use super::*;

    fn commands() -> Vec<Command> {
        let ops = [
            Op::Client { op: OpCode::SetData, record: Bytes::from_static(b"record") },
            Op::OpenSession { timeout_ms: 4000, password: [7; 16] },
            Op::AttachSession { password: [8; 16], timeout_ms: 5000, member: u64::MAX },
            Op::CloseSession,
            Op::ExpireSession { attach: 3 },
            Op::Reap { path: "/c/é".into(), czxid: Zxid(9) },
            Op::RaiseFeatureLevel(2),
            Op::SetZxidBase(1 << 40),
        ];
        let origin = Origin { member: 1, boot: 2, seq: 3 };
        let auth: AuthList = [AuthId::new("digest", "bob:x")].iter().collect();
        let command = |op| Command { origin, time_ms: 4, session: SessionId(5), attach: 6, auth: auth.clone(), op };
        ops.into_iter().map(command).collect()
    }

    #[test]
    fn every_command_survives_its_encoding_in_the_length_it_says() {
        for command in commands() {
            let mut out = BytesMut::new();
            command.encode(&mut out);
            assert_eq!(out.len(), command.encoded_len());
            assert_eq!(Command::decode(&out.freeze()), Ok(command));
        }
    }

    #[test]
    fn a_cut_command_is_an_error_and_never_another_command() {
        for command in commands() {
            let mut out = BytesMut::new();
            command.encode(&mut out);
            let whole = out.freeze();
            for len in 0..whole.len() {
                if let Ok(shorter) = Command::decode(&whole.slice(..len)) {
                    // A record and a path run to the end of the entry, whose length the log itself guards.
                    assert!(matches!(shorter.op, Op::Client { .. } | Op::Reap { .. }), "{command:?} cut at {len}");
                }
            }
        }
    }

    #[test]
    fn an_unknown_format_or_kind_is_named() {
        assert_eq!(Command::decode(&Bytes::from_static(&[9, 1])), Err(CommandError::UnknownFormat(9)));
        let mut bytes = vec![COMMAND_FORMAT, 99];
        bytes.resize(HEADER_LEN, 0);
        assert_eq!(Command::decode(&bytes.into()), Err(CommandError::UnknownKind(99)));
    }
}
