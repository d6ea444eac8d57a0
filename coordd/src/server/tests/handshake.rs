//! Sessions from the client's side: opened, held on to, moved, ended, refused.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use coordd_proto::{ConnectResponse, ErrorCode, OpCode, SessionId, Zxid};
use coordd_tree::Op;

use super::support::{Member, create, frame, read};
use crate::consensus::LocalSessions;

#[tokio::test]
async fn the_timeout_is_clamped_and_a_short_request_gets_a_short_response() {
    let member = Member::with(|config| config.max_session_timeout_ms = 9000).await;
    for (read_only, len) in [(Some(false), 37), (None, 36)] {
        let mut raw = member.raw().await;
        raw.connect(Zxid(0), SessionId::NONE, &[0; 16], read_only).await;
        let frame = raw.frame().await.unwrap();
        let response = ConnectResponse::decode(&frame).unwrap();
        assert_eq!((frame.len(), response.timeout_ms), (len, 9000));
        assert_ne!(response.password, [0; 16]);
    }
}

#[tokio::test]
async fn a_client_that_has_seen_a_later_zxid_is_closed_without_a_word() {
    let member = Member::start().await;
    let mut raw = member.raw().await;
    raw.connect(Zxid(1 << 40), SessionId::NONE, &[0; 16], Some(false)).await;
    assert!(raw.is_closed().await);
}

#[tokio::test]
async fn a_wrong_password_or_an_unknown_session_gets_zeros_and_a_close() {
    let member = Member::start().await;
    let c = member.client().await;
    for (session, password) in [(c.session, vec![9; 16]), (SessionId(12345), vec![0; 16]), (c.session, vec![1; 3])] {
        let mut raw = member.raw().await;
        raw.connect(Zxid(0), session, &password, Some(false)).await;
        let response = ConnectResponse::decode(&raw.frame().await.unwrap()).unwrap();
        assert_eq!(response, ConnectResponse::new(0, SessionId::NONE, [0; 16], Some(false)));
        assert!(raw.is_closed().await);
    }
}

#[tokio::test]
async fn a_session_that_attaches_again_closes_its_older_connection_and_keeps_its_ephemerals() {
    let member = Member::start().await;
    let mut old = member.client().await;
    old.ask(1, OpCode::Create, |w| create(w, "/e", b"", 1)).await;
    let mut new = member.attach(old.session, old.password).await.unwrap();
    assert_eq!(new.session, old.session);
    assert!(old.raw.is_closed().await);
    let stat = new.ask(1, OpCode::Exists, |w| read(w, "/e", false)).await.stat();
    assert_eq!(stat.ephemeral_owner, new.session);
    assert_eq!(member.hub.connected(), 1);
}

#[tokio::test]
async fn a_write_of_a_session_that_moved_closes_the_connection_without_a_reply() {
    let member = Member::start().await;
    let mut c = member.client().await;
    member.double.holding.store(true, Ordering::SeqCst);
    c.send(1, OpCode::Create, |w| create(w, "/a", b"", 0)).await;
    assert!(c.raw.is_quiet().await);
    member.double.apply(c.session, 0, Op::AttachSession { password: c.password, timeout_ms: 4000, member: 2 });
    member.double.settle(1).await;
    assert!(c.raw.is_closed().await);
}

#[tokio::test]
async fn an_expired_session_closes_its_connection() {
    let member = Member::start().await;
    let mut c = member.client().await;
    member.double.apply(c.session, 1, Op::ExpireSession { attach: 1 });
    assert!(c.raw.is_closed().await);
    assert!(member.attach(c.session, c.password).await.is_none());
}

#[tokio::test]
async fn frames_pipelined_behind_the_handshake_wait_for_it() {
    let member = Member::start().await;
    member.double.holding.store(true, Ordering::SeqCst);
    let mut raw = member.raw().await;
    raw.connect(Zxid(0), SessionId::NONE, &[0; 16], Some(false)).await;
    let mut out = BytesMut::new();
    frame(&mut out, 1, OpCode::Exists.to_wire(), |w| read(w, "/", false));
    raw.send(&out).await;
    assert!(raw.is_quiet().await);
    member.double.settle(1).await;
    assert!(ConnectResponse::decode(&raw.frame().await.unwrap()).unwrap().timeout_ms > 0);
    assert_eq!(&raw.frame().await.unwrap()[..4], &1i32.to_be_bytes());
}

#[tokio::test]
async fn a_member_that_does_not_serve_closes_at_the_first_length() {
    let member = Member::start().await;
    member.double.not_serving(Some("no quorum"));
    let mut raw = member.raw().await;
    raw.connect(Zxid(0), SessionId::NONE, &[0; 16], Some(true)).await;
    assert!(raw.is_closed().await);
}

#[tokio::test]
async fn without_a_quorum_a_read_only_member_reads_for_those_who_can_live_with_it() {
    let member = Member::with(|config| config.read_only_mode = true).await;
    member.double.not_serving(Some("no quorum"));
    let mut strict = member.raw().await;
    strict.connect(Zxid(0), SessionId::NONE, &[0; 16], Some(false)).await;
    assert!(strict.is_closed().await);
    let mut raw = member.raw().await;
    raw.connect(Zxid(0), SessionId::NONE, &[0; 16], Some(true)).await;
    let response = ConnectResponse::decode(&raw.frame().await.unwrap()).unwrap();
    assert_eq!(response.read_only, Some(true));
    let mut c = super::support::Client { raw, session: response.session, password: response.password };
    assert_eq!(c.ask(1, OpCode::Exists, |w| read(w, "/", false)).await.err, 0);
    assert_eq!(c.create(2, "/a", b"").await.code(), Some(ErrorCode::NotReadOnly));
    assert_eq!(c.ask(3, OpCode::Sync, |w| w.string("/")).await.code(), Some(ErrorCode::NotReadOnly));
    member.double.not_serving(None);
    assert!(c.raw.is_closed().await);
}

#[tokio::test]
async fn a_connection_without_a_session_is_closed_in_time() {
    let member = Member::with(|config| config.sessionless_timeout = Duration::from_millis(50)).await;
    let mut raw = member.raw().await;
    assert!(raw.is_closed().await);
}

#[tokio::test]
async fn a_draining_port_answers_what_it_took_and_closes() {
    let member = Member::start().await;
    let mut c = member.client().await;
    member.double.holding.store(true, Ordering::SeqCst);
    c.send(1, OpCode::Create, |w| create(w, "/a", b"", 0)).await;
    assert!(c.raw.is_quiet().await);
    let committed = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        member.double.settle(1).await;
        c.got().await
    };
    let ((), got) = tokio::join!(member.server.drain(Duration::from_secs(2)), committed);
    assert_eq!((got.xid, got.err), (1, 0));
    assert!(c.raw.is_closed().await);
}

#[tokio::test]
async fn a_session_reported_as_silent_for_its_timeout_is_cut_and_never_answered_again() {
    let member = Member::with(|config| {
        config.min_session_timeout_ms = 100;
        config.max_session_timeout_ms = 100;
        config.tick_ms = 10;
    })
    .await;
    let mut c = member.client().await;
    let mut contacts = Vec::new();
    member.hub.collect(&mut contacts);
    assert_eq!(contacts.iter().map(|contact| contact.session).collect::<Vec<_>>(), [c.session]);
    tokio::time::sleep(Duration::from_millis(120)).await;
    contacts.clear();
    member.hub.collect(&mut contacts);
    assert!(contacts.is_empty(), "nothing new was heard");
    assert!(c.raw.is_closed().await);
}

#[tokio::test]
async fn a_connection_that_closes_is_reported_with_its_last_request() {
    let member = Member::start().await;
    let c = member.client().await;
    let session = c.session;
    member.hub.collect(&mut Vec::new());
    drop(c);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut contacts = Vec::new();
    member.hub.collect(&mut contacts);
    assert!(contacts.iter().any(|contact| contact.session == session && contact.closed && contact.silent_ms >= 50));
}

#[tokio::test]
async fn without_a_quorum_a_read_only_member_cuts_the_connections_that_could_write() {
    let member = Member::with(|config| config.read_only_mode = true).await;
    let mut c = member.client().await;
    member.double.not_serving(Some("no quorum"));
    assert!(c.raw.is_closed().await);
}

#[tokio::test]
async fn without_a_quorum_a_session_of_the_ensemble_is_sent_away_and_lives_on() {
    let member = Member::with(|config| config.read_only_mode = true).await;
    let c = member.client().await;
    member.double.not_serving(Some("no quorum"));
    let mut raw = member.raw().await;
    raw.connect(Zxid(0), c.session, &c.password, Some(true)).await;
    assert!(raw.is_closed().await);
    member.double.not_serving(None);
    assert!(member.attach(c.session, c.password).await.is_some());
}
