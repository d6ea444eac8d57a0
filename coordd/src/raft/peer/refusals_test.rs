//! Who is refused, by which side, and with what reason: over real connections.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::double::{Double, local};
use super::frame::{self, Frame, GREETING_LEN_MAX, Kind};
use super::hello::{Challenge, Hello, Identity, LinkError, LinkKind, Refusal};
use super::link::Link;
use super::{Local, Secret};
use crate::net::{TcpListener, TcpStream};
use crate::raft::codec;
use crate::raft::types::{Membership, Node, NodeId, StoredMembership};

fn identity(ensemble_id: &str, node_id: NodeId, disk_id: &str) -> Identity {
    Identity { ensemble_id: ensemble_id.into(), node_id, disk_id: disk_id.into() }
}

fn knowing(secret: &'static str) -> Option<Secret> {
    Some(Secret(Bytes::from_static(secret.as_bytes())))
}

fn with_secret(node_id: NodeId, secret: Option<Secret>) -> Arc<Local> {
    Arc::new(Local::new(local(node_id).identity(), secret))
}

/// What `dialer` hears that dials `to` where `acceptor` lives; `None` if it is welcome.
async fn refused(dialer: &Local, to: Option<(NodeId, &str)>, acceptor: Arc<Local>) -> Option<Refusal> {
    let address = Arc::<Double>::default().serve_as(acceptor).await;
    refused_at(&address, dialer, to).await
}

async fn refused_at(address: &str, dialer: &Local, to: Option<(NodeId, &str)>) -> Option<Refusal> {
    let to = to.map(|(id, disk)| (id, disk.to_owned()));
    match Link::dial(address, dialer, to, LinkKind::Control).await {
        Ok(_) => None,
        Err(LinkError::Refused(refusal)) => Some(refusal),
        Err(LinkError::Io(error)) => panic!("neither welcome nor refused: {error}"),
    }
}

/// What `acceptor` says by itself to a dialer that would take whatever lives there.
async fn refused_by(acceptor: Arc<Local>, from: Option<Identity>, to: Option<(NodeId, &str)>) -> Option<Refusal> {
    let address = Arc::<Double>::default().serve_as(acceptor).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let to = to.map(|(id, disk)| (id, disk.to_owned()));
    say(&mut stream, Kind::Hello, &Hello { from, to, link: LinkKind::Control, nonce: "n".into() }).await;
    let answer = hear(&mut stream).await;
    (answer.kind == Kind::Refused).then(|| serde_json::from_slice(&answer.body).unwrap())
}

#[tokio::test]
async fn a_secret_that_one_side_lacks_or_has_otherwise_keeps_both_apart() {
    let cases = [
        (knowing("s"), knowing("s"), None),
        (knowing("s"), knowing("t"), Some(Refusal::Secret)),
        (knowing("s"), None, Some(Refusal::Secret)),
        (None, knowing("s"), Some(Refusal::Secret)),
    ];
    for (case, (theirs, ours, expected)) in cases.into_iter().enumerate() {
        let said = refused(&with_secret(1, theirs), Some((2, "d2")), with_secret(2, ours)).await;
        assert_eq!(said, expected, "case {case}");
    }
}

async fn hear(stream: &mut TcpStream) -> Frame {
    frame::read_at_most(stream, &mut BytesMut::new(), GREETING_LEN_MAX).await.unwrap()
}

async fn say(stream: &mut TcpStream, kind: Kind, value: &impl serde::Serialize) {
    let mut out = BytesMut::new();
    frame::put(&mut out, kind, 0, &serde_json::to_vec(value).unwrap());
    frame::flush(stream, &mut out).await.unwrap();
}

#[tokio::test]
async fn a_dialer_that_only_gives_back_the_proof_that_it_was_given_is_refused() {
    let address = Arc::<Double>::default().serve_as(with_secret(2, knowing("s"))).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let from = local(1).identity();
    say(&mut stream, Kind::Hello, &Hello { from, to: None, link: LinkKind::Control, nonce: "n".into() }).await;
    let challenge: Challenge =
        serde_json::from_slice(&hear(&mut stream).await.expect(Kind::Challenge).unwrap()).unwrap();
    say(&mut stream, Kind::Proof, &challenge.proof).await;
    let refusal: Refusal = serde_json::from_slice(&hear(&mut stream).await.expect(Kind::Refused).unwrap()).unwrap();
    assert_eq!(refusal, Refusal::Secret);
}

#[tokio::test]
async fn an_acceptor_names_another_ensemble_and_another_member() {
    let member = || local(1).identity();
    let stranger = Some(identity("f", 1, "d1"));
    let other = Refusal::OtherEnsemble { ours: "e".to_owned(), theirs: "f".to_owned() };
    assert_eq!(refused_by(local(2), stranger, Some((2, "d2"))).await, Some(other));
    for (wanted, disk) in [(3, "d3"), (2, "another")] {
        let expected = Refusal::OtherMember { wanted, found: "2".to_owned() };
        assert_eq!(refused_by(local(2), member(), Some((wanted, disk))).await, Some(expected));
    }
    let unformed = Arc::new(Local::new(None, None));
    let expected = Refusal::OtherMember { wanted: 2, found: "an unformed member".to_owned() };
    assert_eq!(refused_by(unformed, member(), Some((2, "d2"))).await, Some(expected));
    assert_eq!(refused_by(local(2), member(), Some((2, "d2"))).await, None);
    assert_eq!(refused_by(local(2), None, None).await, None, "it may ask who lives here");
}

#[tokio::test]
async fn who_was_removed_or_comes_with_another_disk_is_told_so() {
    let acceptor = local(2);
    let members = [2, 3].map(|id| (id, Node { disk_id: format!("d{id}"), ..Node::default() }));
    let membership = Membership::new(vec![[2, 3].into()], std::collections::BTreeMap::from(members)).unwrap();
    acceptor.roster.update(&StoredMembership::new(Some(codec::log_id(1, 40)), membership));
    let address = Arc::<Double>::default().serve_as(acceptor).await;
    let cases = [
        (local(1), Some(Refusal::Removed { id: 1, as_of: 40 })),
        (Arc::new(Local::new(Some(identity("e", 3, "lost")), None)), Some(Refusal::OtherDisk(3))),
        (local(3), None),
        (local(41), None),
    ];
    for (dialer, expected) in cases {
        assert_eq!(refused_at(&address, &dialer, Some((2, "d2"))).await, expected);
    }
}

/// Welcomes whoever comes as `identity`, without a look at who that is.
async fn welcomes_as(identity: Identity) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        hear(&mut stream).await;
        say(&mut stream, Kind::Welcome, &Some(identity)).await;
        hear(&mut stream).await;
    });
    address
}

#[tokio::test]
async fn a_dialer_does_not_rely_on_the_acceptor_to_tell_them_apart() {
    let at = welcomes_as(identity("f", 2, "d2")).await;
    let (ours, theirs) = ("f".to_owned(), "e".to_owned());
    let expected = Refusal::OtherEnsemble { ours, theirs };
    assert_eq!(refused_at(&at, &local(1), Some((2, "d2"))).await, Some(expected));
    for found in [identity("e", 3, "d2"), identity("e", 2, "another")] {
        let expected = Refusal::OtherMember { wanted: 2, found: found.node_id.to_string() };
        let at = welcomes_as(found).await;
        assert_eq!(refused_at(&at, &local(1), Some((2, "d2"))).await, Some(expected));
    }
    let at = welcomes_as(identity("e", 2, "d2")).await;
    assert_eq!(refused_at(&at, &local(1), Some((2, "d2"))).await, None);
    let at = welcomes_as(identity("e", 2, "d2")).await;
    let said = refused_at(&at, &with_secret(1, knowing("s")), Some((2, "d2"))).await;
    assert_eq!(said, Some(Refusal::Secret), "it proved nothing");
}
