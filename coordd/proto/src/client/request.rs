//! Requests as bytes: the mirror image of `Request::decode`, field by field.

use std::borrow::Cow;

use bytes::BytesMut;

use crate::ids::Xid;
use crate::jute::Writer;
use crate::multi::{MultiOp, put_header};
use crate::op_code::OpCode;
use crate::reply::{begin_frame, end_frame};
use crate::request::{Create, Request, RequestHeader, SetData, SetWatches};

/// What a client puts into the header of each operation of a multi.
const UNUSED_ERROR: i32 = -1;

/// Appends a whole request frame.
pub fn encode_request(out: &mut BytesMut, xid: Xid, request: &Request<'_>) {
    let start = begin_frame(out);
    let mut w = Writer::new(out);
    RequestHeader { xid, op: request.op().to_wire() }.encode(&mut w);
    request.encode(&mut w);
    end_frame(out, start);
}

impl Request<'_> {
    /// The operation that this record belongs to.
    pub fn op(&self) -> OpCode {
        match self {
            Request::Create(create) => create.op,
            Request::Delete { .. } => OpCode::Delete,
            Request::Exists { .. } => OpCode::Exists,
            Request::GetData { .. } => OpCode::GetData,
            Request::SetData(_) => OpCode::SetData,
            Request::GetAcl { .. } => OpCode::GetAcl,
            Request::SetAcl { .. } => OpCode::SetAcl,
            Request::GetChildren { .. } => OpCode::GetChildren,
            Request::GetChildren2 { .. } => OpCode::GetChildren2,
            Request::Sync { .. } => OpCode::Sync,
            Request::Ping => OpCode::Ping,
            Request::Check { .. } => OpCode::Check,
            Request::Multi(_) => OpCode::Multi,
            Request::MultiRead(_) => OpCode::MultiRead,
            Request::Reconfig { .. } => OpCode::Reconfig,
            Request::CheckWatches { .. } => OpCode::CheckWatches,
            Request::RemoveWatches { .. } => OpCode::RemoveWatches,
            Request::Auth { .. } => OpCode::Auth,
            Request::SetWatches(again) if again.has_persistent() => OpCode::SetWatches2,
            Request::SetWatches(_) => OpCode::SetWatches,
            Request::GetEphemerals { .. } => OpCode::GetEphemerals,
            Request::GetAllChildrenNumber { .. } => OpCode::GetAllChildrenNumber,
            Request::AddWatch { .. } => OpCode::AddWatch,
            Request::WhoAmI => OpCode::WhoAmI,
            Request::CloseSession => OpCode::CloseSession,
            Request::DeleteContainer { .. } => OpCode::DeleteContainer,
            Request::Sasl { .. } => OpCode::Sasl,
        }
    }

    /// Appends the record, without a header.
    pub fn encode(&self, out: &mut Writer<'_>) {
        match self {
            Request::Create(create) => create.encode(out),
            Request::SetData(set) => set.encode(out),
            Request::SetWatches(again) => again.encode(out),
            Request::Delete { path, version } | Request::Check { path, version } => {
                out.string(path);
                out.i32(*version);
            }
            Request::Exists { path, watch }
            | Request::GetData { path, watch }
            | Request::GetChildren { path, watch }
            | Request::GetChildren2 { path, watch } => {
                out.string(path);
                out.bool(*watch);
            }
            Request::GetAcl { path }
            | Request::GetEphemerals { prefix: path }
            | Request::GetAllChildrenNumber { path } => out.string(path),
            Request::Sync { path } => out.buffer(path.as_deref().map(str::as_bytes)),
            Request::SetAcl { path, acl, version } => {
                out.string(path);
                out.raw(acl.raw());
                out.i32(*version);
            }
            Request::Multi(ops) | Request::MultiRead(ops) => encode_ops(ops, out),
            Request::Reconfig { joining, leaving, members, config_id } => {
                for servers in [joining, leaving, members] {
                    out.buffer(servers.as_deref().map(str::as_bytes));
                }
                out.i64(*config_id);
            }
            Request::CheckWatches { path, kind } | Request::RemoveWatches { path, kind } => {
                out.string(path);
                out.i32(*kind as i32);
            }
            Request::Auth { kind, scheme, auth } => {
                out.i32(*kind);
                out.string(scheme);
                out.buffer(*auth);
            }
            Request::AddWatch { path, mode } => {
                out.string(path);
                out.i32(*mode as i32);
            }
            Request::DeleteContainer { path } => out.buffer(Some(path)),
            Request::Sasl { token } => out.buffer(*token),
            Request::Ping | Request::WhoAmI | Request::CloseSession => {}
        }
    }
}

impl Create<'_> {
    fn encode(&self, out: &mut Writer<'_>) {
        out.string(&self.path);
        out.buffer(self.data);
        out.raw(self.acl.raw());
        out.i32(self.flags);
        if self.op == OpCode::CreateTtl {
            out.i64(self.ttl_ms);
        }
    }
}

impl SetData<'_> {
    fn encode(&self, out: &mut Writer<'_>) {
        out.string(&self.path);
        out.buffer(self.data);
        out.i32(self.version);
    }
}

impl SetWatches<'_> {
    /// Whether only setWatches2 can carry it; older servers know setWatches alone.
    fn has_persistent(&self) -> bool {
        !self.persistent.is_empty() || !self.recursive.is_empty()
    }

    fn encode(&self, out: &mut Writer<'_>) {
        out.i64(self.relative_zxid.0);
        for list in [&self.data, &self.exist, &self.child] {
            encode_paths(list, out);
        }
        if self.has_persistent() {
            encode_paths(&self.persistent, out);
            encode_paths(&self.recursive, out);
        }
    }
}

fn encode_paths(list: &[Cow<'_, str>], out: &mut Writer<'_>) {
    out.count(list.len());
    list.iter().for_each(|path| out.string(path));
}

fn encode_ops(ops: &[MultiOp<'_>], out: &mut Writer<'_>) {
    for op in ops {
        put_header(out, op.op().to_wire(), false, UNUSED_ERROR);
        match op {
            MultiOp::Create(create) => create.encode(out),
            MultiOp::SetData(set) => set.encode(out),
            MultiOp::Delete { path, version } | MultiOp::Check { path, version } => {
                out.string(path);
                out.i32(*version);
            }
            MultiOp::GetData { path } | MultiOp::GetChildren { path } => {
                out.string(path);
                out.bool(false);
            }
        }
    }
    put_header(out, OpCode::Error.to_wire(), true, UNUSED_ERROR);
}

impl MultiOp<'_> {
    fn op(&self) -> OpCode {
        match self {
            MultiOp::Create(create) => create.op,
            MultiOp::Delete { .. } => OpCode::Delete,
            MultiOp::SetData(_) => OpCode::SetData,
            MultiOp::Check { .. } => OpCode::Check,
            MultiOp::GetData { .. } => OpCode::GetData,
            MultiOp::GetChildren { .. } => OpCode::GetChildren,
        }
    }
}
