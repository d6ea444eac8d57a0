//! multi and multiRead: several operations in one record, several results in one reply.
//!
//! ```text
//!   request  { MultiHeader{type, done=false, err=-1} + record }*   MultiHeader{-1, true, -1}
//!   reply    { MultiHeader{type, done=false, err}    + result }*   MultiHeader{-1, true, -1}
//! ```
//!
//! Rule: a create in a multi is typed anew by its flags, as ZooKeeper's MultiOperationRecord and Op do: 4 makes any of
//! them a createContainer; a createTTL with other flags than 5 and 6 becomes a create, known flags or not; flags that
//! are unknown, or 5 and 6, in any other create make the whole record one that cannot be decoded. So does an operation
//! of the other kind.

use std::borrow::Cow;

use crate::create_mode::CreateMode;
use crate::error_code::ErrorCode;
use crate::jute::{DecodeError, Reader, Writer};
use crate::op_code::OpCode;
use crate::request::{Create, SetData, path};
use crate::stat::Stat;

/// One operation inside a multi or multiRead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MultiOp<'a> {
    Create(Create<'a>),
    Delete { path: Cow<'a, str>, version: i32 },
    SetData(SetData<'a>),
    Check { path: Cow<'a, str>, version: i32 },
    GetData { path: Cow<'a, str> },
    GetChildren { path: Cow<'a, str> },
}

/// One result inside a multi's reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MultiResult<'a> {
    Create {
        path: Cow<'a, str>,
    },
    Create2 {
        path: Cow<'a, str>,
        stat: Stat,
    },
    Delete,
    SetData(Stat),
    Check,
    Data(Option<Cow<'a, [u8]>>, Stat),
    Children(Vec<Cow<'a, str>>),
    /// An operation that was not the one that failed, in a multi that did: 0 before it, RUNTIMEINCONSISTENCY behind it.
    NotFailed,
    Error(ErrorCode),
}

/// Reads the next header: the operation's number, or `None` at the end.
pub(crate) fn header(from: &mut Reader<'_>) -> Result<Option<i32>, DecodeError> {
    let (code, done, _) = (from.i32()?, from.bool()?, from.i32()?);
    Ok((!done).then_some(code))
}

fn retyped(mut create: Create<'_>) -> Result<Create<'_>, DecodeError> {
    let mode = CreateMode::from_wire(create.flags);
    match (create.op, mode) {
        (OpCode::CreateTtl, Some(mode)) if mode.has_ttl() => {}
        (_, Some(CreateMode::Container)) => (create.op, create.ttl_ms) = (OpCode::CreateContainer, -1),
        (OpCode::CreateTtl, _) => (create.op, create.ttl_ms) = (OpCode::Create, -1),
        (_, Some(mode)) if !mode.has_ttl() => {}
        _ => return Err(DecodeError::BadValue(create.flags)),
    }
    Ok(create)
}

pub(crate) fn decode_multi<'a>(from: &mut Reader<'a>) -> Result<Vec<MultiOp<'a>>, DecodeError> {
    let mut ops = Vec::new();
    while let Some(code) = header(from)? {
        ops.push(match OpCode::from_wire(code) {
            Some(op @ (OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl)) => {
                let create = Create::decode(op, from)?;
                // ZooKeeper's constructors of all but one look into the list at once.
                if create.acl.is_null() && op != OpCode::CreateTtl {
                    return Err(DecodeError::NullAcl);
                }
                MultiOp::Create(retyped(create)?)
            }
            Some(OpCode::Delete) => MultiOp::Delete { path: path(from)?, version: from.i32()? },
            Some(OpCode::SetData) => MultiOp::SetData(SetData::decode(path(from)?, from)?),
            Some(OpCode::Check) => MultiOp::Check { path: path(from)?, version: from.i32()? },
            _ => return Err(DecodeError::BadValue(code)),
        });
    }
    Ok(ops)
}

pub(crate) fn decode_multi_read<'a>(from: &mut Reader<'a>) -> Result<Vec<MultiOp<'a>>, DecodeError> {
    match reads(from)? {
        (ops, true) => Ok(ops),
        (_, false) => Err(DecodeError::Null),
    }
}

/// Of a multiRead that names a null path somewhere: what stands before it, which is read nevertheless.
pub fn reads_before_null(record: &[u8]) -> Vec<MultiOp<'_>> {
    reads(&mut Reader::new(record)).map(|(ops, _)| ops).unwrap_or_default()
}

/// The reads up to the first null path, and whether there is none.
fn reads<'a>(from: &mut Reader<'a>) -> Result<(Vec<MultiOp<'a>>, bool), DecodeError> {
    let (mut ops, mut whole) = (Vec::new(), true);
    while let Some(code) = header(from)? {
        let read: fn(Cow<'a, str>) -> MultiOp<'a> = match OpCode::from_wire(code) {
            Some(OpCode::GetData) => |path| MultiOp::GetData { path },
            Some(OpCode::GetChildren) => |path| MultiOp::GetChildren { path },
            _ => return Err(DecodeError::BadValue(code)),
        };
        let (path, _watch) = (from.string()?, from.bool()?);
        whole &= path.is_some();
        ops.extend(path.filter(|_| whole).map(read));
    }
    Ok((ops, whole))
}

impl MultiResult<'_> {
    fn op(&self) -> OpCode {
        match self {
            MultiResult::Create { .. } => OpCode::Create,
            MultiResult::Create2 { .. } => OpCode::Create2,
            MultiResult::Delete => OpCode::Delete,
            MultiResult::SetData(_) => OpCode::SetData,
            MultiResult::Check => OpCode::Check,
            MultiResult::Data(..) => OpCode::GetData,
            MultiResult::Children(_) => OpCode::GetChildren,
            MultiResult::NotFailed | MultiResult::Error(_) => OpCode::Error,
        }
    }

    pub(crate) fn encode(&self, out: &mut Writer<'_>) {
        let error = match self {
            MultiResult::Error(code) => code.to_wire(),
            _ => 0,
        };
        put_header(out, self.op().to_wire(), false, error);
        match self {
            MultiResult::Create { path } => out.java_string(path),
            MultiResult::Create2 { path, stat } => {
                out.java_string(path);
                stat.encode(out);
            }
            MultiResult::Delete | MultiResult::Check => {}
            MultiResult::SetData(stat) => stat.encode(out),
            MultiResult::Data(data, stat) => {
                out.buffer(data.as_deref());
                stat.encode(out);
            }
            MultiResult::Children(names) => {
                out.count(names.len());
                names.iter().for_each(|name| out.java_string(name));
            }
            MultiResult::NotFailed | MultiResult::Error(_) => out.i32(error),
        }
    }

    pub fn into_owned(self) -> MultiResult<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            MultiResult::Create { path } => MultiResult::Create { path: owned(path) },
            MultiResult::Create2 { path, stat } => MultiResult::Create2 { path: owned(path), stat },
            MultiResult::Delete => MultiResult::Delete,
            MultiResult::SetData(stat) => MultiResult::SetData(stat),
            MultiResult::Check => MultiResult::Check,
            MultiResult::Data(data, stat) => MultiResult::Data(data.map(|d| Cow::Owned(d.into_owned())), stat),
            MultiResult::Children(names) => MultiResult::Children(names.into_iter().map(owned).collect()),
            MultiResult::NotFailed => MultiResult::NotFailed,
            MultiResult::Error(code) => MultiResult::Error(code),
        }
    }
}

pub(crate) fn put_header(out: &mut Writer<'_>, code: i32, done: bool, error: i32) {
    out.i32(code);
    out.bool(done);
    out.i32(error);
}

pub(crate) fn encode_results(results: &[MultiResult<'_>], out: &mut Writer<'_>) {
    results.iter().for_each(|result| result.encode(out));
    put_header(out, -1, true, -1);
}
