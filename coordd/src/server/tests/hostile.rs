//! What is no request, no operation or no identity: refused as ZooKeeper refuses it, and nobody else is disturbed.

use bytes::BytesMut;
use coordd_proto::{ErrorCode, OpCode, Writer};

use super::support::{Member, create, frame, read};

fn auth(w: &mut Writer<'_>, scheme: &str, proof: &str) {
    w.i32(0);
    w.string(scheme);
    w.buffer(Some(proof.as_bytes()));
}

#[tokio::test]
async fn operations_that_clients_may_not_use_are_answered_unimplemented_and_closed() {
    let member = Member::start().await;
    for op in [13, 20, -10, 0, -1, 10, 4711] {
        let mut c = member.client().await;
        let mut out = BytesMut::new();
        frame(&mut out, 7, op, |w| read(w, "/", false));
        frame(&mut out, 8, OpCode::Ping.to_wire(), |_| {});
        c.raw.send(&out).await;
        let got = c.got().await;
        assert_eq!((got.xid, got.zxid, got.code()), (7, -1, Some(ErrorCode::Unimplemented)), "{op}");
        assert!(c.raw.is_closed().await, "{op}");
        assert!(member.attach(c.session, c.password).await.is_some(), "the session survives");
    }
}

#[tokio::test]
async fn a_malformed_record_is_a_marshalling_error_and_the_connection_stays() {
    let member = Member::start().await;
    let mut c = member.client().await;
    let read = c.ask(1, OpCode::GetData, |w| w.i32(1000)).await;
    assert_eq!(read.code(), Some(ErrorCode::MarshallingError));
    assert_eq!(c.ask(3, OpCode::Ping, |_| {}).await.err, 0);
}

#[tokio::test]
async fn a_write_that_cannot_be_read_takes_no_zxid_and_one_that_is_understood_too_late_takes_one() {
    use OpCode::*;
    let member = Member::start().await;
    let mut c = member.client().await;
    let mut zxid = c.ask(1, Ping, |_| {}).await.zxid;
    let null_acl = |w: &mut Writer<'_>| {
        w.i32(Create.to_wire());
        w.bool(false);
        w.i32(-1);
        w.string("/a");
        w.buffer(None);
        w.i32(-1);
        w.i32(0);
        w.i32(-1);
        w.bool(true);
        w.i32(-1);
    };
    for op in [Create, Create2, CreateContainer, CreateTtl, Delete, SetData, SetAcl] {
        let cut = c.ask(2, op, |w| w.string("/a")).await;
        assert_eq!((cut.code(), cut.zxid), (Some(ErrorCode::MarshallingError), zxid), "{op:?}");
    }
    let unread = c.ask(3, Multi, null_acl).await;
    assert_eq!((unread.code(), unread.zxid), (Some(ErrorCode::MarshallingError), zxid));
    let null_path = |w: &mut Writer<'_>| w.raw(&[0xff; 8]);
    for (op, code) in [
        (Multi, ErrorCode::MarshallingError),
        (Delete, ErrorCode::MarshallingError),
        (Reconfig, ErrorCode::ReconfigDisabled),
    ] {
        zxid += 1;
        let numbered = c.ask(4, op, |w| if op == Reconfig { w.raw(&[0xff; 20]) } else { null_path(w) }).await;
        assert_eq!((numbered.code(), numbered.zxid), (Some(code), zxid), "{op:?}");
    }
    let set = c.ask(5, SetData, |w| w.raw(&[0xff; 12])).await;
    assert_eq!((set.code(), set.zxid), (Some(ErrorCode::BadArguments), zxid + 1));
}

#[tokio::test]
async fn a_multi_read_with_a_null_path_tells_what_it_read_before() {
    let member = Member::start().await;
    let mut c = member.client().await;
    let one = |w: &mut Writer<'_>, path: Option<&[u8]>| {
        w.i32(OpCode::GetChildren.to_wire());
        w.bool(false);
        w.i32(-1);
        w.buffer(path);
        w.bool(false);
    };
    let end = [0xff, 0xff, 0xff, 0xff, 1, 0xff, 0xff, 0xff, 0xff];
    let got = c
        .ask(1, OpCode::MultiRead, |w| {
            [Some(&b"/"[..]), None, Some(b"/")].iter().for_each(|path| one(w, *path));
            w.raw(&end);
        })
        .await;
    assert_eq!(got.code(), Some(ErrorCode::MarshallingError));
    let read = [&[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9][..], b"zookeeper", &end].concat();
    assert_eq!(got.body[..], read);
}

#[tokio::test]
async fn a_multi_read_whose_answer_would_fill_the_memory_is_a_marshalling_error_and_the_connection_stays() {
    let member = Member::with_outbox(256 * 1024).await;
    let mut c = member.client().await;
    c.create(1, "/a", &vec![7; 100_000]).await;
    let ask = |parts: usize| {
        move |w: &mut Writer<'_>| {
            for _ in 0..parts {
                w.i32(OpCode::GetData.to_wire());
                w.bool(false);
                w.i32(-1);
                read(w, "/a", false);
            }
            w.raw(&[0xff, 0xff, 0xff, 0xff, 1, 0xff, 0xff, 0xff, 0xff]);
        }
    };
    let most = c.ask(2, OpCode::MultiRead, ask(3)).await;
    assert_eq!((most.err, most.body.len() > 300_000), (0, true));
    let beyond = c.ask(3, OpCode::MultiRead, ask(50_000)).await;
    assert_eq!((beyond.xid, beyond.code(), beyond.body.len()), (3, Some(ErrorCode::MarshallingError), 0));
    assert_eq!(c.ask(4, OpCode::Ping, |_| {}).await.err, 0);
}

#[tokio::test]
async fn a_ping_is_answered_by_its_own_xid_and_a_sync_echoes_a_null_path() {
    let member = Member::start().await;
    let mut c = member.client().await;
    let pong = c.ask(7, OpCode::Ping, |w| w.raw(b"more")).await;
    assert_eq!((pong.xid, pong.err), (-2, 0));
    c.send(8, OpCode::Sync, |w| w.buffer(None)).await;
    member.double.pass_barriers().await;
    assert_eq!(c.got().await.body[..], [0xff; 4]);
}

#[tokio::test]
async fn a_frame_beyond_the_limit_closes_without_a_word_and_one_at_the_limit_passes() {
    let member = Member::with(|config| config.max_frame_bytes = 1000).await;
    let mut c = member.client().await;
    let overhead = {
        let mut out = BytesMut::new();
        frame(&mut out, 1, OpCode::Create.to_wire(), |w| create(w, "/a", b"", 0));
        out.len() - 4
    };
    assert_eq!(c.create(1, "/a", &vec![0; 1000 - overhead]).await.err, 0);
    c.send(2, OpCode::Create, |w| create(w, "/b", &vec![0; 1001 - overhead], 0)).await;
    assert!(c.raw.is_closed().await);
    for len in [-1i32, i32::MIN, i32::MAX] {
        let mut c = member.client().await;
        c.raw.send(&len.to_be_bytes()).await;
        assert!(c.raw.is_closed().await);
    }
    let mut raw = member.raw().await;
    raw.send(&[0xff; 64]).await;
    assert!(raw.is_closed().await);
}

#[tokio::test]
async fn auth_is_answered_with_zxid_zero_and_counts_for_later_requests() {
    let member = Member::start().await;
    let mut c = member.client().await;
    let ok = c.ask(-4, OpCode::Auth, |w| auth(w, "digest", "bob:secret")).await;
    assert_eq!((ok.xid, ok.zxid, ok.err), (-4, 0, 0));
    let who = c.ask(1, OpCode::WhoAmI, |_| {}).await;
    let text = String::from_utf8_lossy(&who.body).into_owned();
    assert!(text.contains("digest") && text.contains("bob") && text.contains("127.0.0.1"), "{text}");
    assert!(!text.contains("secret") && !text.contains("bob:"));
}

#[tokio::test]
async fn an_unknown_scheme_fails_and_closes() {
    let member = Member::start().await;
    let mut c = member.client().await;
    let refused = c.ask(-4, OpCode::Auth, |w| auth(w, "kerberos", "x")).await;
    assert_eq!((refused.zxid, refused.code()), (0, Some(ErrorCode::AuthFailed)));
    assert!(c.raw.is_closed().await);
}

#[tokio::test]
async fn an_identity_that_every_write_would_drag_along_fails_and_closes_and_the_session_lives() {
    let member = Member::start().await;
    let mut c = member.client().await;
    let refused = c.ask(-4, OpCode::Auth, |w| auth(w, "digest", &"u".repeat(1_000_000))).await;
    assert_eq!((refused.zxid, refused.code()), (0, Some(ErrorCode::AuthFailed)));
    assert!(c.raw.is_closed().await);
    assert!(member.attach(c.session, c.password).await.is_some());
}

#[tokio::test]
async fn reconfig_is_disabled_and_sasl_answers_a_null_token() {
    let member = Member::start().await;
    let mut c = member.client().await;
    let reconfig = c
        .ask(1, OpCode::Reconfig, |w| {
            (0..3).for_each(|_| w.buffer(None));
            w.i64(-1);
        })
        .await;
    assert_eq!(reconfig.code(), Some(ErrorCode::ReconfigDisabled));
    let sasl = c.ask(2, OpCode::Sasl, |w| w.buffer(Some(b"token"))).await;
    assert_eq!((sasl.zxid, sasl.err, &sasl.body[..]), (0, 0, &(-1i32).to_be_bytes()[..]));
}

#[tokio::test]
async fn sasl_and_auth_that_cannot_be_read_close_without_an_answer_and_the_session_lives() {
    let member = Member::start().await;
    let null = (-1i32).to_be_bytes();
    for (op, record) in
        [(OpCode::Sasl, &null[..]), (OpCode::Sasl, b""), (OpCode::Auth, b""), (OpCode::Auth, &[0, 0, 0, 0, 9])]
    {
        let mut c = member.client().await;
        c.send(1, op, |w| w.raw(record)).await;
        assert!(c.raw.is_closed().await, "{op:?} {record:?}");
        assert!(member.attach(c.session, c.password).await.is_some());
    }
}

#[tokio::test]
async fn garbage_on_one_connection_leaves_another_alone() {
    let member = Member::start().await;
    let mut c = member.client().await;
    for n in 0..50u8 {
        let mut raw = member.raw().await;
        raw.send(&[n, 0, 0, n, n, n, n, 0xff, 0, 1]).await;
    }
    assert_eq!(c.create(1, "/a", b"").await.err, 0);
}
