//! Requests as clients send them: one value for each operation, borrowed from the frame.
//!
//! Rule: values stand here as they came. Whether a path is legal, an ACL valid or a flag known is the tree's to say,
//! since the order in which those refusals come is part of the protocol. A record that is too short is an error; bytes
//! after it are not.

use std::borrow::Cow;

use crate::acl::Perms;
use crate::ids::{Xid, Zxid};
use crate::jute::{DecodeError, Reader, Writer};
use crate::multi::{MultiOp, decode_multi, decode_multi_read};
use crate::op_code::OpCode;

/// Stands before every record but the first of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestHeader {
    pub xid: Xid,
    /// The number on the wire; it need not be a known operation.
    pub op: i32,
}

impl RequestHeader {
    pub const WIRE_LEN: usize = 8;

    pub fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(RequestHeader { xid: Xid(from.i32()?), op: from.i32()? })
    }

    pub fn encode(self, out: &mut Writer<'_>) {
        out.i32(self.xid.0);
        out.i32(self.op);
    }
}

/// A vector of ACLs, checked for its bounds and parsed only when somebody looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AclListRef<'a> {
    raw: &'a [u8],
}

/// One entry of an [`AclListRef`]; a null scheme or id is legal on the wire and refused by the tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AclRef<'a> {
    pub perms: Perms,
    pub scheme: Option<Cow<'a, str>>,
    pub id: Option<Cow<'a, str>>,
}

/// `world:anyone` with all permissions, the list that nearly every create carries.
const OPEN_ACL: &[u8] = b"\0\0\0\x01\0\0\0\x1f\0\0\0\x05world\0\0\0\x06anyone";

impl<'a> AclListRef<'a> {
    /// `world:anyone` with all permissions.
    pub const OPEN: AclListRef<'static> = AclListRef { raw: OPEN_ACL };

    pub fn decode(from: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let start = from.rest();
        if let Some(count) = from.count(crate::acl::Acl::MIN_WIRE_LEN)? {
            for _ in 0..count {
                from.i32()?;
                from.buffer()?;
                from.buffer()?;
            }
        }
        Ok(AclListRef { raw: &start[..start.len() - from.rest().len()] })
    }

    /// The vector as it stands on the wire.
    pub(crate) fn raw(&self) -> &'a [u8] {
        self.raw
    }

    pub fn is_null(&self) -> bool {
        self.raw.first_chunk() == Some(&[0xff; 4])
    }

    /// Whether this is exactly `world:anyone` with all permissions.
    pub fn is_open_unsafe(&self) -> bool {
        self.raw == OPEN_ACL
    }

    /// How many entries; 0 for a null list.
    pub fn len(&self) -> usize {
        if self.is_null() {
            return 0;
        }
        self.raw.first_chunk().map_or(0, |count| usize::try_from(i32::from_be_bytes(*count)).unwrap_or(0))
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn iter(&self) -> impl Iterator<Item = AclRef<'a>> + use<'a> {
        let mut from = Reader::new(self.raw.get(4..).unwrap_or_default());
        (0..self.len()).map_while(move |_| {
            Some(AclRef { perms: Perms(from.i32().ok()?), scheme: from.string().ok()?, id: from.string().ok()? })
        })
    }
}

/// create, create2, createContainer and createTTL; `op` says which.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Create<'a> {
    pub op: OpCode,
    pub path: Cow<'a, str>,
    pub data: Option<&'a [u8]>,
    pub acl: AclListRef<'a>,
    pub flags: i32,
    /// Milliseconds; -1 where the record has none.
    pub ttl_ms: i64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetData<'a> {
    pub path: Cow<'a, str>,
    pub data: Option<&'a [u8]>,
    pub version: i32,
}

/// setWatches and setWatches2: what a client watched on its last connection.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SetWatches<'a> {
    pub relative_zxid: Zxid,
    pub data: Vec<Cow<'a, str>>,
    pub exist: Vec<Cow<'a, str>>,
    pub child: Vec<Cow<'a, str>>,
    pub persistent: Vec<Cow<'a, str>>,
    pub recursive: Vec<Cow<'a, str>>,
}

/// How an `addWatch` watches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddWatchMode {
    Persistent,
    PersistentRecursive,
}

/// Which watches removeWatches and checkWatches mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum WatcherType {
    Children = 1,
    Data = 2,
    Any = 3,
    Persistent = 4,
    PersistentRecursive = 5,
}

impl WatcherType {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        use WatcherType::*;
        let code = from.i32()?;
        [Children, Data, Any, Persistent, PersistentRecursive]
            .into_iter()
            .find(|kind| *kind as i32 == code)
            .ok_or(DecodeError::BadValue(code))
    }
}

/// A decoded request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request<'a> {
    Create(Create<'a>),
    Delete {
        path: Cow<'a, str>,
        version: i32,
    },
    Exists {
        path: Cow<'a, str>,
        watch: bool,
    },
    GetData {
        path: Cow<'a, str>,
        watch: bool,
    },
    SetData(SetData<'a>),
    GetAcl {
        path: Cow<'a, str>,
    },
    SetAcl {
        path: Cow<'a, str>,
        acl: AclListRef<'a>,
        version: i32,
    },
    GetChildren {
        path: Cow<'a, str>,
        watch: bool,
    },
    GetChildren2 {
        path: Cow<'a, str>,
        watch: bool,
    },
    /// `path` is echoed, a null one too.
    Sync {
        path: Option<Cow<'a, str>>,
    },
    Ping,
    Check {
        path: Cow<'a, str>,
        version: i32,
    },
    Multi(Vec<MultiOp<'a>>),
    MultiRead(Vec<MultiOp<'a>>),
    Reconfig {
        joining: Option<Cow<'a, str>>,
        leaving: Option<Cow<'a, str>>,
        members: Option<Cow<'a, str>>,
        config_id: i64,
    },
    CheckWatches {
        path: Cow<'a, str>,
        kind: WatcherType,
    },
    RemoveWatches {
        path: Cow<'a, str>,
        kind: WatcherType,
    },
    Auth {
        kind: i32,
        scheme: Cow<'a, str>,
        auth: Option<&'a [u8]>,
    },
    SetWatches(SetWatches<'a>),
    /// A null prefix means all, as an empty one does.
    GetEphemerals {
        prefix: Cow<'a, str>,
    },
    GetAllChildrenNumber {
        path: Cow<'a, str>,
    },
    AddWatch {
        path: Cow<'a, str>,
        mode: AddWatchMode,
    },
    WhoAmI,
    CloseSession,
    DeleteContainer {
        path: &'a [u8],
    },
    Sasl {
        token: Option<&'a [u8]>,
    },
}

/// A path that must be there: ZooKeeper answers MARSHALLINGERROR to a null one.
pub(crate) fn path<'a>(from: &mut Reader<'a>) -> Result<Cow<'a, str>, DecodeError> {
    from.string()?.ok_or(DecodeError::Null)
}

/// A text that is empty when it is null.
pub(crate) fn text<'a>(from: &mut Reader<'a>) -> Result<Cow<'a, str>, DecodeError> {
    Ok(from.string()?.unwrap_or_default())
}

/// A list that must be there.
pub(crate) fn list<'a, T>(
    from: &mut Reader<'a>,
    item: impl Fn(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = from.count(4)?.ok_or(DecodeError::Null)?;
    (0..count).map(|_| item(from)).collect()
}

/// ZooKeeper looks each path of the first three lists up, and so fails at a null one; the other two it only keeps.
fn set_watches<'a>(from: &mut Reader<'a>, persistent: bool) -> Result<SetWatches<'a>, DecodeError> {
    let mut again = SetWatches {
        relative_zxid: Zxid(from.i64()?),
        data: list(from, path)?,
        exist: list(from, path)?,
        child: list(from, path)?,
        ..SetWatches::default()
    };
    if persistent {
        again.persistent = list(from, text)?;
        again.recursive = list(from, text)?;
    }
    Ok(again)
}

impl<'a> Create<'a> {
    pub(crate) fn decode(op: OpCode, from: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (path, data, acl) = (path(from)?, from.buffer()?, AclListRef::decode(from)?);
        let flags = from.i32()?;
        let ttl_ms = if op == OpCode::CreateTtl { from.i64()? } else { -1 };
        Ok(Create { op, path, data, acl, flags, ttl_ms })
    }
}

impl<'a> SetData<'a> {
    pub(crate) fn decode(path: Cow<'a, str>, from: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(SetData { path, data: from.buffer()?, version: from.i32()? })
    }
}

fn add_watch_mode(from: &mut Reader<'_>) -> Result<AddWatchMode, DecodeError> {
    match from.i32()? {
        0 => Ok(AddWatchMode::Persistent),
        1 => Ok(AddWatchMode::PersistentRecursive),
        other => Err(DecodeError::BadValue(other)),
    }
}

/// Whether ZooKeeper refuses a write with this fault before it takes a zxid for it: what it cannot read at all it does
/// not number, but for a multi; what it stumbles over afterwards it does.
pub fn is_refused_unnumbered(op: OpCode, fault: DecodeError) -> bool {
    match fault {
        DecodeError::Null => false,
        DecodeError::NullAcl => true,
        _ => op != OpCode::Multi,
    }
}

impl<'a> Request<'a> {
    /// Decodes the record of `op`.
    ///
    /// # Errors
    /// When the record is too short, or a field has a value that its type does not know (MARSHALLINGERROR).
    pub fn decode(op: OpCode, record: &'a [u8]) -> Result<Self, DecodeError> {
        let from = &mut Reader::new(record);
        Ok(match op {
            OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                Request::Create(Create::decode(op, from)?)
            }
            OpCode::Delete => Request::Delete { path: path(from)?, version: from.i32()? },
            OpCode::Exists => Request::Exists { path: path(from)?, watch: from.bool()? },
            OpCode::GetData => Request::GetData { path: path(from)?, watch: from.bool()? },
            // Here alone the path is looked at as a text before it is cut: a null one is as bad as an empty one.
            OpCode::SetData => Request::SetData(SetData::decode(text(from)?, from)?),
            OpCode::GetAcl => Request::GetAcl { path: path(from)? },
            OpCode::SetAcl => {
                Request::SetAcl { path: text(from)?, acl: AclListRef::decode(from)?, version: from.i32()? }
            }
            OpCode::GetChildren => Request::GetChildren { path: path(from)?, watch: from.bool()? },
            OpCode::GetChildren2 => Request::GetChildren2 { path: path(from)?, watch: from.bool()? },
            OpCode::Sync => Request::Sync { path: from.string()? },
            OpCode::Ping => Request::Ping,
            OpCode::Check => Request::Check { path: path(from)?, version: from.i32()? },
            OpCode::Multi => Request::Multi(decode_multi(from)?),
            OpCode::MultiRead => Request::MultiRead(decode_multi_read(from)?),
            OpCode::Reconfig => Request::Reconfig {
                joining: from.string()?,
                leaving: from.string()?,
                members: from.string()?,
                config_id: from.i64()?,
            },
            OpCode::CheckWatches => Request::CheckWatches { path: text(from)?, kind: WatcherType::decode(from)? },
            OpCode::RemoveWatches => Request::RemoveWatches { path: text(from)?, kind: WatcherType::decode(from)? },
            OpCode::Auth => Request::Auth { kind: from.i32()?, scheme: text(from)?, auth: from.buffer()? },
            OpCode::SetWatches => Request::SetWatches(set_watches(from, false)?),
            OpCode::SetWatches2 => Request::SetWatches(set_watches(from, true)?),
            OpCode::GetEphemerals => Request::GetEphemerals { prefix: text(from)? },
            OpCode::GetAllChildrenNumber => Request::GetAllChildrenNumber { path: path(from)? },
            OpCode::AddWatch => Request::AddWatch { path: text(from)?, mode: add_watch_mode(from)? },
            OpCode::WhoAmI => Request::WhoAmI,
            OpCode::CloseSession => Request::CloseSession,
            OpCode::DeleteContainer => Request::DeleteContainer { path: from.buffer()?.unwrap_or_default() },
            OpCode::Sasl => Request::Sasl { token: from.buffer()? },
            OpCode::CreateSession | OpCode::Error => return Err(DecodeError::BadValue(op.to_wire())),
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::acl::Acl;

    #[test]
    fn the_open_acl_is_known_by_its_bytes() {
        let mut out = BytesMut::new();
        Acl::encode_list(&[Acl::world(Perms::ALL)], &mut Writer::new(&mut out));
        let list = AclListRef::decode(&mut Reader::new(&out)).unwrap();
        assert!(list.is_open_unsafe() && list.len() == 1 && !list.is_null());
        let only = list.iter().next().unwrap();
        assert_eq!(
            (only.perms, only.scheme.as_deref(), only.id.as_deref()),
            (Perms::ALL, Some("world"), Some("anyone"))
        );
    }

    #[test]
    fn a_null_path_is_an_error_where_a_znode_is_meant_and_an_empty_one_where_it_is_echoed() {
        let null = [0xff; 16];
        for op in [OpCode::Create, OpCode::Delete, OpCode::Exists, OpCode::GetData, OpCode::GetAcl] {
            assert_eq!(Request::decode(op, &null), Err(DecodeError::Null), "{op:?}");
        }
        assert_eq!(Request::decode(OpCode::Sync, &null), Ok(Request::Sync { path: None }));
        assert_eq!(Request::decode(OpCode::GetEphemerals, &null), Ok(Request::GetEphemerals { prefix: "".into() }));
        assert!(matches!(Request::decode(OpCode::SetData, &null), Ok(Request::SetData(set)) if set.path.is_empty()));
    }

    #[test]
    fn set_watches_needs_each_of_its_lists_and_a_path_in_each_place_of_the_first_three() {
        let record = |lists: &[&[u8]]| [&[0; 8][..], &lists.concat()[..]].concat();
        let (null, empty, one_null) = (&[0xff; 4][..], &[0; 4][..], &[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff][..]);
        for bad in [null, one_null] {
            for place in 0..3 {
                let mut lists = [empty; 3];
                lists[place] = bad;
                assert_eq!(Request::decode(OpCode::SetWatches, &record(&lists)), Err(DecodeError::Null), "{lists:?}");
            }
        }
        assert!(Request::decode(OpCode::SetWatches, &record(&[empty; 3])).is_ok());
        assert!(Request::decode(OpCode::SetWatches2, &record(&[empty, empty, empty, null, empty])).is_err());
        assert!(Request::decode(OpCode::SetWatches2, &record(&[empty, empty, empty, one_null, one_null])).is_ok());
    }

    #[test]
    fn a_null_list_is_not_an_empty_one() {
        let null = AclListRef::decode(&mut Reader::new(&[0xff; 4])).unwrap();
        let empty = AclListRef::decode(&mut Reader::new(&[0; 4])).unwrap();
        assert!(null.is_null() && null.is_empty());
        assert!(!empty.is_null() && empty.is_empty());
    }
}
