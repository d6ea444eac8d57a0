//! How two members make sure of each other before anything else is said.
//!
//! ```text
//!   dialer                                   acceptor
//!     Hello{ensemble, from, to, link, nonce} ──►  checks ensemble, own id and disk, the dialer's standing
//!                    ◄── Challenge{nonce, proof}   only with a shared secret; both prove that they know it
//!     Proof{proof} ──►
//!                    ◄── Welcome{identity} | Refused{why}
//! ```
//!
//! Rule: a mismatch is refused and named, by whichever side sees it first. Reason: an address can come to belong to
//! another ensemble, another member or another disk, and a vote or an entry taken from it would break consensus (D9,
//! D11).

use std::io;

use bytes::BytesMut;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::super::types::NodeId;
use super::frame::{self, Frame, GREETING_LEN_MAX, Kind, protocol};
use super::roster::Standing;
use super::{Local, Secret};
use crate::entropy;
use crate::net::TcpStream;

/// What a disk says of the member that lives on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub ensemble_id: String,
    pub node_id: NodeId,
    pub disk_id: String,
}

/// What a link is for; each has a connection of its own so that none waits behind another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LinkKind {
    /// Entries from the leader, forwarded writes to it.
    Log,
    /// Heartbeats, votes, session heartbeats, questions of every kind.
    Control,
    Snapshot,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    /// Absent while the dialer is not part of an ensemble; such a link carries the question who lives here, no more.
    pub from: Option<Identity>,
    /// The member that the dialer wants, when it knows it.
    pub to: Option<(NodeId, String)>,
    pub link: LinkKind,
    pub nonce: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Challenge {
    pub nonce: String,
    pub proof: String,
}

/// Why a link is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Refusal {
    /// `theirs` is the dialer's, `ours` that of whom it dialed: both read it in their logs.
    #[error("who dialed belongs to ensemble {theirs}, who was dialed to {ours}")]
    OtherEnsemble { ours: String, theirs: String },
    #[error("member {wanted} was wanted, {found} lives there")]
    OtherMember { wanted: NodeId, found: String },
    #[error("member {0} is known with another disk; a disk that was lost needs `coordd admin replace`")]
    OtherDisk(NodeId),
    #[error("member {id} was removed from the ensemble (membership of log index {as_of})")]
    Removed { id: NodeId, as_of: u64 },
    #[error("the peer secret is missing on one side or differs")]
    Secret,
}

/// What the acceptor learnt.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub from: Option<Identity>,
    pub link: LinkKind,
}

/// What a dialer gets to hear beside an established link.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("link refused: {0}")]
    Refused(Refusal),
}

fn proof(secret: &Secret, side: &str, first: &str, second: &str) -> io::Result<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.0.as_ref()).map_err(|_| protocol("unusable peer secret"))?;
    for part in [side, first, second] {
        mac.update(part.as_bytes());
        mac.update(b"\0");
    }
    Ok(mac)
}

fn proves(mac: Hmac<Sha256>, given: &str) -> bool {
    let bytes: Option<Vec<u8>> = (0..given.len() / 2)
        .map(|i| given.get(2 * i..2 * i + 2).and_then(|h| u8::from_str_radix(h, 16).ok()))
        .collect();
    bytes.is_some_and(|bytes| mac.verify_slice(&bytes).is_ok())
}

async fn send<T: Serialize>(stream: &mut TcpStream, kind: Kind, value: &T) -> io::Result<()> {
    let mut out = BytesMut::new();
    frame::put(&mut out, kind, 0, &serde_json::to_vec(value)?);
    frame::flush(stream, &mut out).await
}

/// Until both know each other nobody makes room for what the other announces.
async fn hear(stream: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<Frame> {
    frame::read_at_most(stream, buffer, GREETING_LEN_MAX).await
}

/// The dialer's side. Returns the identity that the acceptor proved to have, `None` if it is in no ensemble.
pub(crate) async fn dial(
    stream: &mut TcpStream,
    buffer: &mut BytesMut,
    local: &Local,
    to: Option<(NodeId, String)>,
    link: LinkKind,
) -> Result<Option<Identity>, LinkError> {
    let nonce = entropy::random_id()?;
    let from = local.identity();
    send(stream, Kind::Hello, &Hello { from: from.clone(), to: to.clone(), link, nonce: nonce.clone() }).await?;
    let mut answer = hear(stream, buffer).await?;
    if answer.kind == Kind::Challenge {
        let secret = local.secret.as_ref().ok_or(LinkError::Refused(Refusal::Secret))?;
        let challenge: Challenge = serde_json::from_slice(&answer.body).map_err(io::Error::from)?;
        if !proves(proof(secret, "acceptor", &nonce, &challenge.nonce)?, &challenge.proof) {
            return Err(LinkError::Refused(Refusal::Secret));
        }
        let mine = proof(secret, "dialer", &nonce, &challenge.nonce)?.finalize().into_bytes();
        send(stream, Kind::Proof, &entropy::hex(&mine)).await?;
        answer = hear(stream, buffer).await?;
    } else if local.secret.is_some() && answer.kind == Kind::Welcome {
        return Err(LinkError::Refused(Refusal::Secret));
    }
    if answer.kind == Kind::Refused {
        let refusal: Refusal = serde_json::from_slice(&answer.body).map_err(io::Error::from)?;
        return Err(LinkError::Refused(refusal));
    }
    let welcome: Option<Identity> = serde_json::from_slice(&answer.expect(Kind::Welcome)?).map_err(io::Error::from)?;
    match (&from, &to, &welcome) {
        (Some(ours), _, Some(theirs)) if ours.ensemble_id != theirs.ensemble_id => {
            Err(LinkError::Refused(Refusal::OtherEnsemble {
                ours: theirs.ensemble_id.clone(),
                theirs: ours.ensemble_id.clone(),
            }))
        }
        (_, Some((wanted, disk)), found)
            if found.as_ref().is_none_or(|f| f.node_id != *wanted || f.disk_id != *disk) =>
        {
            let found = found.as_ref().map_or_else(|| "an unformed member".to_owned(), |f| f.node_id.to_string());
            Err(LinkError::Refused(Refusal::OtherMember { wanted: *wanted, found }))
        }
        _ => Ok(welcome),
    }
}

/// The acceptor's side. A refusal is sent and then returned as the error.
pub(crate) async fn accept(
    stream: &mut TcpStream,
    buffer: &mut BytesMut,
    local: &Local,
) -> Result<Accepted, LinkError> {
    let hello = hear(stream, buffer).await?.expect(Kind::Hello)?;
    let hello: Hello = serde_json::from_slice(&hello).map_err(io::Error::from)?;
    if let Some(secret) = &local.secret {
        let nonce = entropy::random_id()?;
        let mine = proof(secret, "acceptor", &hello.nonce, &nonce)?.finalize().into_bytes();
        send(stream, Kind::Challenge, &Challenge { nonce: nonce.clone(), proof: entropy::hex(&mine) }).await?;
        let given = hear(stream, buffer).await?.expect(Kind::Proof)?;
        let given: String = serde_json::from_slice(&given).map_err(io::Error::from)?;
        if !proves(proof(secret, "dialer", &hello.nonce, &nonce)?, &given) {
            send(stream, Kind::Refused, &Refusal::Secret).await?;
            return Err(LinkError::Refused(Refusal::Secret));
        }
    }
    if let Some(refusal) = refusal(&hello, local) {
        send(stream, Kind::Refused, &refusal).await?;
        return Err(LinkError::Refused(refusal));
    }
    send(stream, Kind::Welcome, &local.identity()).await?;
    Ok(Accepted { from: hello.from, link: hello.link })
}

fn refusal(hello: &Hello, local: &Local) -> Option<Refusal> {
    let ours = local.identity();
    if let (Some(ours), Some(theirs)) = (&ours, &hello.from) {
        if ours.ensemble_id != theirs.ensemble_id {
            let (ours, theirs) = (ours.ensemble_id.clone(), theirs.ensemble_id.clone());
            return Some(Refusal::OtherEnsemble { ours, theirs });
        }
        match local.roster.standing(theirs.node_id, &theirs.disk_id) {
            Standing::Member | Standing::Unknown => {}
            Standing::Removed(as_of) => return Some(Refusal::Removed { id: theirs.node_id, as_of }),
            Standing::WrongDisk => return Some(Refusal::OtherDisk(theirs.node_id)),
        }
    }
    let (wanted, disk) = hello.to.as_ref()?;
    match &ours {
        Some(ours) if ours.node_id == *wanted && ours.disk_id == *disk => None,
        Some(ours) => Some(Refusal::OtherMember { wanted: *wanted, found: ours.node_id.to_string() }),
        None => Some(Refusal::OtherMember { wanted: *wanted, found: "an unformed member".to_owned() }),
    }
}
