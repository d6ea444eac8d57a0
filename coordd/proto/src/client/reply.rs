//! Replies read back: which record follows is known only from the operation that was asked.

use std::borrow::Cow;

use crate::acl::Acl;
use crate::error_code::ErrorCode;
use crate::jute::{DecodeError, Reader};
use crate::multi::{MultiResult, header};
use crate::op_code::OpCode;
use crate::reply::{ClientInfo, Reply};
use crate::request::{path, text};
use crate::stat::Stat;

/// The smallest encoding of a [`ClientInfo`]: two null strings.
const MIN_CLIENT_INFO: usize = 8;

impl<'a> Reply<'a> {
    /// Reads the record that answers `op`, which must have succeeded: there is none behind a header with an error.
    ///
    /// # Errors
    /// When the record is too short or has a value that its type does not know.
    pub fn decode(op: OpCode, record: &'a [u8]) -> Result<Self, DecodeError> {
        let from = &mut Reader::new(record);
        Ok(match op {
            OpCode::Create | OpCode::Sync => Reply::Path(path(from)?),
            OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                Reply::PathStat(path(from)?, Stat::decode(from)?)
            }
            OpCode::Exists | OpCode::SetData | OpCode::SetAcl => Reply::Stat(Stat::decode(from)?),
            OpCode::GetData | OpCode::Reconfig => Reply::Data(from.buffer()?.map(Cow::Borrowed), Stat::decode(from)?),
            OpCode::GetAcl => Reply::Acl(Cow::Owned(acls(from)?), Stat::decode(from)?),
            OpCode::GetChildren => Reply::Children(paths(from)?),
            OpCode::GetChildren2 => Reply::Children2(paths(from)?, Stat::decode(from)?),
            OpCode::GetAllChildrenNumber => Reply::Count(from.i32()?),
            OpCode::GetEphemerals => Reply::Paths(paths(from)?),
            OpCode::WhoAmI => Reply::WhoAmI(client_infos(from)?),
            OpCode::AddWatch => Reply::ErrorField(from.i32()?),
            OpCode::Multi | OpCode::MultiRead => Reply::Multi(results(from)?),
            OpCode::Sasl => Reply::Sasl(from.buffer()?.map(<[u8]>::to_vec)),
            OpCode::Delete
            | OpCode::Ping
            | OpCode::Check
            | OpCode::CheckWatches
            | OpCode::RemoveWatches
            | OpCode::DeleteContainer
            | OpCode::Auth
            | OpCode::SetWatches
            | OpCode::SetWatches2
            | OpCode::CreateSession
            | OpCode::CloseSession
            | OpCode::Error => Reply::Empty,
        })
    }
}

fn acls(from: &mut Reader<'_>) -> Result<Vec<Acl>, DecodeError> {
    let list = Acl::decode_list(from)?.unwrap_or_default();
    list.into_iter().map(|acl| acl.ok_or(DecodeError::BadLength(-1))).collect()
}

fn paths<'a>(from: &mut Reader<'a>) -> Result<Vec<Cow<'a, str>>, DecodeError> {
    let count = from.count(4)?.unwrap_or(0);
    (0..count).map(|_| text(from)).collect()
}

fn client_infos(from: &mut Reader<'_>) -> Result<Vec<ClientInfo>, DecodeError> {
    let count = from.count(MIN_CLIENT_INFO)?.unwrap_or(0);
    (0..count).map(|_| Ok(ClientInfo { scheme: path(from)?.into_owned(), user: path(from)?.into_owned() })).collect()
}

fn results<'a>(from: &mut Reader<'a>) -> Result<Vec<MultiResult<'a>>, DecodeError> {
    let mut results = Vec::new();
    while let Some(code) = header(from)? {
        results.push(match OpCode::from_wire(code) {
            Some(OpCode::Create) => MultiResult::Create { path: path(from)? },
            Some(OpCode::Create2) => MultiResult::Create2 { path: path(from)?, stat: Stat::decode(from)? },
            Some(OpCode::Delete) => MultiResult::Delete,
            Some(OpCode::SetData) => MultiResult::SetData(Stat::decode(from)?),
            Some(OpCode::Check) => MultiResult::Check,
            Some(OpCode::GetData) => MultiResult::Data(from.buffer()?.map(Cow::Borrowed), Stat::decode(from)?),
            Some(OpCode::GetChildren) => MultiResult::Children(paths(from)?),
            Some(OpCode::Error) => match from.i32()? {
                0 => MultiResult::NotFailed,
                error => MultiResult::Error(ErrorCode::from_wire(error).ok_or(DecodeError::BadValue(error))?),
            },
            _ => return Err(DecodeError::BadValue(code)),
        });
    }
    Ok(results)
}
