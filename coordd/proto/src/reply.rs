//! Replies as clients expect them; a whole frame at a time, no temporary buffer.
//!
//! ```text
//!   length:i32 │ xid:i32 │ zxid:i64 │ err:i32 │ record          no record when err ≠ 0
//! ```

use std::borrow::Cow;

use bytes::BytesMut;

use crate::acl::Acl;
use crate::error_code::ErrorCode;
use crate::ids::{Xid, Zxid};
use crate::jute::{DecodeError, Reader, Writer};
use crate::multi::{MultiResult, encode_results, put_header};
use crate::stat::Stat;

/// Stands before every reply's record and every event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplyHeader {
    pub xid: Xid,
    pub zxid: Zxid,
    /// 0, or the error code.
    pub error: i32,
}

impl ReplyHeader {
    pub const WIRE_LEN: usize = 16;

    pub fn encode(self, out: &mut Writer<'_>) {
        out.i32(self.xid.0);
        out.i64(self.zxid.0);
        out.i32(self.error);
    }

    pub fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(ReplyHeader { xid: Xid(from.i32()?), zxid: Zxid(from.i64()?), error: from.i32()? })
    }
}

/// One identity of a connection, as whoAmI shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientInfo {
    pub scheme: String,
    pub user: String,
}

/// A reply's record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply<'a> {
    Empty,
    Path(Cow<'a, str>),
    /// What a sync of a null path answers with.
    NullPath,
    PathStat(Cow<'a, str>, Stat),
    Stat(Stat),
    Data(Option<Cow<'a, [u8]>>, Stat),
    Acl(Cow<'a, [Acl]>, Stat),
    Children(Vec<Cow<'a, str>>),
    Children2(Vec<Cow<'a, str>>, Stat),
    Count(i32),
    Paths(Vec<Cow<'a, str>>),
    WhoAmI(Vec<ClientInfo>),
    /// What addWatch answers with: an error code inside the record.
    ErrorField(i32),
    Multi(Vec<MultiResult<'a>>),
    Sasl(Option<Vec<u8>>),
}

fn strings(list: &[Cow<'_, str>], out: &mut Writer<'_>) {
    out.count(list.len());
    list.iter().for_each(|text| out.java_string(text));
}

fn acls(list: &[Acl], out: &mut Writer<'_>) {
    out.count(list.len());
    for Acl { perms, id } in list {
        out.i32(perms.0);
        out.java_string(&id.scheme);
        out.java_string(&id.id);
    }
}

impl Reply<'_> {
    pub fn encode(&self, out: &mut Writer<'_>) {
        match self {
            Reply::Empty => {}
            Reply::Path(path) => out.java_string(path),
            Reply::NullPath => out.buffer(None),
            Reply::PathStat(path, stat) => {
                out.java_string(path);
                stat.encode(out);
            }
            Reply::Stat(stat) => stat.encode(out),
            Reply::Data(data, stat) => {
                out.buffer(data.as_deref());
                stat.encode(out);
            }
            Reply::Acl(list, stat) => {
                acls(list, out);
                stat.encode(out);
            }
            Reply::Children(names) | Reply::Paths(names) => strings(names, out),
            Reply::Children2(names, stat) => {
                strings(names, out);
                stat.encode(out);
            }
            Reply::Count(count) => out.i32(*count),
            Reply::WhoAmI(infos) => {
                out.count(infos.len());
                for ClientInfo { scheme, user } in infos {
                    out.java_string(scheme);
                    out.java_string(user);
                }
            }
            Reply::ErrorField(error) => out.i32(*error),
            Reply::Multi(results) => encode_results(results, out),
            Reply::Sasl(token) => out.buffer(token.as_deref()),
        }
    }

    pub fn into_owned(self) -> Reply<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Reply::Empty => Reply::Empty,
            Reply::Path(path) => Reply::Path(owned(path)),
            Reply::NullPath => Reply::NullPath,
            Reply::PathStat(path, stat) => Reply::PathStat(owned(path), stat),
            Reply::Stat(stat) => Reply::Stat(stat),
            Reply::Data(data, stat) => Reply::Data(data.map(|data| Cow::Owned(data.into_owned())), stat),
            Reply::Acl(list, stat) => Reply::Acl(Cow::Owned(list.into_owned()), stat),
            Reply::Children(names) => Reply::Children(names.into_iter().map(owned).collect()),
            Reply::Children2(names, stat) => Reply::Children2(names.into_iter().map(owned).collect(), stat),
            Reply::Count(count) => Reply::Count(count),
            Reply::Paths(paths) => Reply::Paths(paths.into_iter().map(owned).collect()),
            Reply::WhoAmI(infos) => Reply::WhoAmI(infos),
            Reply::ErrorField(error) => Reply::ErrorField(error),
            Reply::Multi(results) => Reply::Multi(results.into_iter().map(MultiResult::into_owned).collect()),
            Reply::Sasl(token) => Reply::Sasl(token),
        }
    }
}

/// Starts a frame at the end of `out`; [`end_frame`] writes its length once the body is there.
pub fn begin_frame(out: &mut BytesMut) -> usize {
    let start = out.len();
    Writer::new(out).i32(0);
    start
}

pub fn end_frame(out: &mut BytesMut, start: usize) {
    let len = i32::try_from(out.len() - start - 4).unwrap_or(i32::MAX);
    out[start..start + 4].copy_from_slice(&len.to_be_bytes());
}

/// Appends the reply to a multiRead, each result as it is read; behind `cut`, the code that a bad path ended it with.
/// Before each, `goes_on` is asked with the bytes so far: where it says no, MARSHALLINGERROR is all that is left.
pub fn encode_reads<'a>(
    out: &mut BytesMut,
    xid: Xid,
    zxid: Zxid,
    cut: Option<ErrorCode>,
    results: impl Iterator<Item = MultiResult<'a>>,
    mut goes_on: impl FnMut(usize) -> bool,
) {
    let start = begin_frame(out);
    let error = cut.map_or(0, ErrorCode::to_wire);
    ReplyHeader { xid, zxid, error }.encode(&mut Writer::new(out));
    for result in results {
        if !goes_on(out.len() - start) {
            out.truncate(start);
            return encode_reply(out, xid, zxid, Err(ErrorCode::MarshallingError));
        }
        result.encode(&mut Writer::new(out));
    }
    put_header(&mut Writer::new(out), -1, true, -1);
    end_frame(out, start);
}

/// Appends a whole reply frame.
pub fn encode_reply(out: &mut BytesMut, xid: Xid, zxid: Zxid, result: Result<&Reply<'_>, ErrorCode>) {
    let start = begin_frame(out);
    let mut w = Writer::new(out);
    let error = result.err().map_or(0, ErrorCode::to_wire);
    ReplyHeader { xid, zxid, error }.encode(&mut w);
    if let Ok(reply) = result {
        reply.encode(&mut w);
    }
    end_frame(out, start);
}
