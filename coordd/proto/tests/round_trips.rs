//! What is written is read back, for values of every shape.

use std::borrow::Cow;

use bytes::BytesMut;
use coordd_proto::request::{AclListRef, AddWatchMode, Create, Request, SetData, SetWatches, WatcherType};
use coordd_proto::{
    MultiOp, OpCode, Reader, Reply, ReplyHeader, RequestHeader, Stat, Xid, Zxid, encode_reply, encode_request,
    next_frame,
};
use proptest::prelude::*;

/// From what a request is put together.
#[derive(Clone, Debug)]
struct Parts {
    path: String,
    others: Vec<String>,
    data: Option<Vec<u8>>,
    number: i32,
    long: i64,
    flag: bool,
}

fn parts() -> impl Strategy<Value = Parts> {
    let others = proptest::collection::vec(any::<String>(), 0..4);
    (any::<String>(), others, any::<Option<Vec<u8>>>(), any::<i32>(), any::<i64>(), any::<bool>())
        .prop_map(|(path, others, data, number, long, flag)| Parts { path, others, data, number, long, flag })
}

/// One request of each kind that has something to vary.
fn requests(parts: &Parts) -> Vec<Request<'_>> {
    let Parts { number: version, long, flag: watch, .. } = *parts;
    let path = || Cow::Borrowed(parts.path.as_str());
    let (data, acl) = (parts.data.as_deref(), AclListRef::OPEN);
    let all = || parts.others.iter().map(|path| Cow::Borrowed(path.as_str())).collect::<Vec<_>>();
    let create = |op, ttl_ms| Create { op, path: path(), data, acl, flags: if ttl_ms == -1 { 0 } else { 5 }, ttl_ms };
    let set = || SetData { path: path(), data, version };
    vec![
        Request::Create(Create { flags: version, ..create(OpCode::Create2, -1) }),
        Request::Create(create(OpCode::CreateTtl, long)),
        Request::Delete { path: path(), version },
        Request::Exists { path: path(), watch },
        Request::SetData(set()),
        Request::SetAcl { path: path(), acl, version },
        Request::Sync { path: Some(path()) },
        Request::Multi(vec![
            MultiOp::Create(create(OpCode::Create2, -1)),
            MultiOp::Create(create(OpCode::CreateTtl, 1)),
            MultiOp::SetData(set()),
            MultiOp::Check { path: path(), version },
            MultiOp::Delete { path: path(), version },
        ]),
        Request::MultiRead(vec![MultiOp::GetData { path: path() }, MultiOp::GetChildren { path: path() }]),
        Request::Reconfig { joining: Some(path()), leaving: None, members: all().pop(), config_id: long },
        Request::RemoveWatches { path: path(), kind: WatcherType::Persistent },
        Request::AddWatch { path: path(), mode: AddWatchMode::Persistent },
        Request::Auth { kind: version, scheme: path(), auth: data },
        Request::SetWatches(SetWatches {
            relative_zxid: Zxid(long),
            data: all(),
            exist: all(),
            child: vec![path()],
            persistent: all(),
            recursive: all(),
        }),
        Request::Sasl { token: data },
    ]
}

proptest! {
    #[test]
    fn a_request_frame_is_read_back(parts in parts(), xid: i32) {
        let mut stream = BytesMut::new();
        let sent = requests(&parts);
        sent.iter().for_each(|request| encode_request(&mut stream, Xid(xid), request));
        for request in sent {
            let frame = next_frame(&mut stream, usize::MAX).unwrap().unwrap();
            let header = RequestHeader::decode(&mut Reader::new(&frame)).unwrap();
            prop_assert_eq!(header, RequestHeader { xid: Xid(xid), op: request.op().to_wire() });
            prop_assert_eq!(Request::decode(request.op(), &frame[RequestHeader::WIRE_LEN..]), Ok(request));
        }
        prop_assert!(stream.is_empty());
    }

    /// Characters of the basic plane only: the others leave as a Java server would send them.
    #[test]
    fn a_reply_frame_is_read_back(
        names in proptest::collection::vec("[^\u{10000}-\u{10ffff}]{0,9}", 0..5),
        data: Option<Vec<u8>>,
        xid: i32,
        zxid: i64,
    ) {
        let (zxid, stat) = (Zxid(zxid), Stat { czxid: Zxid(zxid), data_length: xid, ..Stat::default() });
        let names: Vec<Cow<'_, str>> = names.iter().map(|name| Cow::Borrowed(name.as_str())).collect();
        for (op, reply) in [
            (OpCode::GetData, Reply::Data(data.as_deref().map(Cow::Borrowed), stat)),
            (OpCode::GetChildren2, Reply::Children2(names.clone(), stat)),
            (OpCode::GetEphemerals, Reply::Paths(names.clone())),
            (OpCode::Create2, Reply::PathStat(names.first().cloned().unwrap_or_default(), stat)),
        ] {
            let mut stream = BytesMut::new();
            encode_reply(&mut stream, Xid(xid), zxid, Ok(&reply));
            let frame = next_frame(&mut stream, usize::MAX).unwrap().unwrap();
            let mut from = Reader::new(&frame);
            prop_assert_eq!(ReplyHeader::decode(&mut from), Ok(ReplyHeader { xid: Xid(xid), zxid, error: 0 }));
            prop_assert_eq!(Reply::decode(op, from.rest()), Ok(reply));
        }
    }
}
