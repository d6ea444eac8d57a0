//! The admin port over a real listener, through the client that operators use.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use coordd_api::{
    AddMember, Backup, Client, ClientError, Promote, Recover, Refusal, RefusalCode, Seat, TransferLeader,
};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::ops::{Answer, SnapshotBody};
use super::*;
use crate::config::Secret;
use crate::http;
use crate::http::tests::Still;

use ops::OpsError;

/// Log index of a membership that the status of `Still` does not show.
const NEWER: u64 = 12;

/// Says what it is told to say and remembers what it was asked.
#[derive(Default)]
struct Told {
    refuse: Mutex<Option<OpsError>>,
    asked: Mutex<Vec<String>>,
}

impl Told {
    fn answer<T: Send + 'static>(&self, asked: String, done: T) -> Answer<T> {
        self.asked.lock().push(asked);
        let refused = self.refuse.lock().clone();
        Box::pin(std::future::ready(refused.map_or(Ok(done), Err)))
    }
}

impl AdminOps for Told {
    fn bootstrap(&self, members: Vec<Seat>) -> Answer<String> {
        self.answer(format!("bootstrap {}", members.len()), "e".to_owned())
    }

    fn add(&self, peer_addr: String, planned_on: u64) -> Answer<(u64, u64)> {
        self.answer(format!("add {peer_addr} on {planned_on}"), (44, 7))
    }

    fn promote(&self, id: u64, planned_on: u64) -> Answer<u64> {
        self.answer(format!("promote {id} on {planned_on}"), 8)
    }

    fn remove(&self, id: u64, planned_on: u64) -> Answer<u64> {
        self.answer(format!("remove {id} on {planned_on}"), NEWER)
    }

    fn replace(&self, id: u64, peer_addr: String, planned_on: u64) -> Answer<(u64, u64)> {
        self.answer(format!("replace {id} by {peer_addr} on {planned_on}"), (45, 9))
    }

    fn transfer_leader(&self, to: Option<u64>) -> Answer<u64> {
        self.answer(format!("transfer {to:?}"), 2)
    }

    fn snapshot(&self, asked: Backup) -> Answer<SnapshotBody> {
        let (pieces, receiver) = mpsc::channel(4);
        for piece in ["abc", "defg"] {
            pieces.try_send(Ok(Bytes::from(piece))).unwrap();
        }
        let without = if asked.without_quorum { " without a quorum" } else { "" };
        self.answer(format!("snapshot{without}"), SnapshotBody { bytes: 7, pieces: receiver })
    }

    fn recover(&self, order: Recover) -> Answer<String> {
        self.answer(format!("recover {}", order.ensemble_id), "f".to_owned())
    }

    fn drain(&self, within: Duration) -> Answer<()> {
        self.answer(format!("drain {within:?}"), ())
    }
}

/// Open over a consensus whose status is of membership index 9.
async fn open(token: Option<&str>) -> (Arc<Told>, Client) {
    open_over(Still::new(), token).await
}

async fn open_over(consensus: Arc<Still>, token: Option<&str>) -> (Arc<Told>, Client) {
    let told = Arc::<Told>::default();
    let token = token.map(|token| Secret(token.as_bytes().to_vec()));
    let listener = http::bind("admin_addr", SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let address = listener.local_addr().unwrap();
    http::serve(listener, router(consensus, told.clone(), token));
    (told, Client::new(address.to_string()))
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> Refusal {
    match answer {
        Err(ClientError::Refused(refusal)) => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn each_call_reaches_consensus_with_the_index_it_was_planned_on() {
    let consensus = Still::new();
    consensus.status.send_modify(|status| Arc::make_mut(status).membership_index = NEWER);
    let (told, client) = open_over(consensus, None).await;
    assert_eq!(client.add(&AddMember { peer_addr: "h:1".into(), membership_index: 9 }).await.unwrap().id, 44);
    assert_eq!(client.promote(44, &Promote { membership_index: 10 }).await.unwrap().membership_index, 8);
    client.remove(2, 11).await.unwrap();
    let replace = coordd_api::Replace { peer_addr: "h:2".into(), membership_index: 12 };
    assert_eq!(client.replace(3, &replace).await.unwrap().id, 45);
    assert_eq!(client.transfer_leader(&TransferLeader { to: Some(2) }).await.unwrap().leader, 2);
    client.drain(&coordd_api::Drain { timeout_ms: 20 }).await.unwrap();
    let asked = told.asked.lock().clone();
    let expected = [
        "add h:1 on 9",
        "promote 44 on 10",
        "remove 2 on 11",
        "replace 3 by h:2 on 12",
        "transfer Some(2)",
        "drain 20ms",
    ];
    assert_eq!(asked, expected);
}

#[tokio::test]
async fn a_change_is_answered_when_the_status_shows_it_and_with_its_own_index() {
    let consensus = Still::new();
    let (_, client) = open_over(consensus.clone(), None).await;
    let removed = tokio::spawn(async move { client.remove(2, 9).await.unwrap().membership_index });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!removed.is_finished(), "whoever looked now would not see it");
    consensus.status.send_modify(|status| Arc::make_mut(status).membership_index = NEWER);
    assert_eq!(removed.await.unwrap(), NEWER);
}

#[tokio::test]
async fn a_change_planned_on_an_old_membership_is_told_the_present_one() {
    let (told, client) = open(None).await;
    *told.refuse.lock() = Some(OpsError::Moved { present: 17 });
    let refused = refusal(client.promote(2, &Promote { membership_index: 9 }).await);
    assert_eq!((refused.code, refused.membership_index), (RefusalCode::Moved, Some(17)));
    assert_eq!(refused.code.status(), 409);
}

#[tokio::test]
async fn a_follower_names_the_leader() {
    let (told, client) = open(None).await;
    *told.refuse.lock() = Some(OpsError::NotLeader { leader: Some("m2".into()) });
    let refused = refusal(client.transfer_leader(&TransferLeader::default()).await);
    assert_eq!((refused.code, refused.leader.as_deref()), (RefusalCode::NotLeader, Some("m2")));
    assert_eq!(refused.to_string(), "this member does not lead; m2 does; ask the admin port of m2");
}

#[tokio::test]
async fn without_the_token_nothing_but_livez_answers() {
    let (told, client) = open(Some("s3cret")).await;
    assert_eq!(refusal(client.status().await).code, RefusalCode::Unauthorized);
    assert_eq!(refusal(client.clone().with_token("s3creT").status().await).message, "the token is wrong");
    assert_eq!(refusal(client.remove(1, 1).await).code, RefusalCode::Unauthorized);
    assert!(told.asked.lock().is_empty());
    assert_eq!(client.clone().with_token("s3cret").status().await.unwrap().name, "m1");
}

#[tokio::test]
async fn a_snapshot_is_streamed_with_its_length() {
    let (told, client) = open(None).await;
    let mut snapshot = client.snapshot().await.unwrap();
    let mut bytes = Vec::new();
    while let Some(piece) = snapshot.next().await.unwrap() {
        bytes.extend_from_slice(&piece);
    }
    assert_eq!((snapshot.bytes, bytes.as_slice()), (7, b"abcdefg".as_slice()));
    assert_eq!(*told.asked.lock(), ["snapshot"]);
}

#[tokio::test]
async fn a_snapshot_that_no_quorum_confirms_is_asked_for_by_name() {
    let (told, client) = open(None).await;
    assert_eq!(client.snapshot_without_quorum().await.unwrap().bytes, 7);
    assert_eq!(*told.asked.lock(), ["snapshot without a quorum"]);
}

#[tokio::test]
async fn recovery_is_refused_by_a_member_that_is_not_the_named_survivor() {
    let (told, client) = open(None).await;
    let order = |survivor: &str| Recover { survivor: survivor.to_owned(), ensemble_id: "e".to_owned() };
    let refused = refusal(client.recover(&order("m2")).await);
    assert_eq!((refused.code, refused.message.as_str()), (RefusalCode::Refused, "this is m1, not m2"));
    assert!(told.asked.lock().is_empty());
    assert_eq!(client.recover(&order("m1")).await.unwrap().ensemble_id, "f");
}
