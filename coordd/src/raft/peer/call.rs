//! Questions between members, on the control link: rare, so JSON; each gets exactly one answer.
//!
//! An enum variant's name is its tag on the wire and stays for ever; fields may be added with a default.

use bytes::{BufMut, Bytes, BytesMut};
use openraft::impls::leader_id_std::LeaderId;
use serde::{Deserialize, Serialize};

use super::super::codec::{self, damaged};
use super::super::types::{AppendRequest, AppendResponse, Entry, NodeId, TransferRequest, VoteRequest, VoteResponse};
use super::Identity;

/// What one member asks another.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Call {
    Vote(VoteRequest),
    PreVote(VoteRequest),
    Transfer(TransferRequest),
    /// A log index that, once applied, makes a read linearizable; asked of the leader.
    ReadIndex,
    /// The session heartbeat (design D8); asked of the leader.
    Contacts(ContactReport),
    /// Stand for election if your leader's lease is dropped already: a transfer did not come to an end.
    Elect,
    /// The leader's roll call: your state's digest at this log index, and the feature level that you understand.
    Attendance {
        index: Option<u64>,
    },
    /// Your digest at this log index is not that of most voters: stop.
    Diverged {
        index: u64,
        majority: u64,
    },
    /// Who are you, and are you part of an ensemble?
    Probe,
    /// Become this member; asked of one that is part of no ensemble.
    Adopt(Adoption),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Vote(VoteResponse),
    Transferring(bool),
    ReadIndex(Option<u64>),
    Contacts(ContactAnswer),
    Present {
        digest: Option<u64>,
        understands: u32,
    },
    Done,
    Probe(Probed),
    /// Why there is no other answer.
    Failed(String),
}

/// Which sessions a member heard of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ContactReport {
    /// Which life of the member counts these milliseconds.
    pub boot: u32,
    /// When the report was made, on the member's monotonic clock.
    pub sent_ms: u64,
    /// How long the member may answer clients after an acknowledged report.
    pub bound_ms: u64,
    /// How much more than its timeout the member may grant a session that it did not name.
    #[serde(default)]
    pub grace_ms: u64,
    /// (session, attach, its last request on the member's monotonic clock, connection closed)
    pub contacts: Vec<(i64, u32, u64, bool)>,
    /// The member's disk is full or about to be.
    #[serde(default)]
    pub short_of_disk: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ContactAnswer {
    /// A quorum confirmed this leader after the report came in; what it had committed then must be applied before the
    /// member relies on it.
    Acknowledged {
        read_index: u64,
        /// Most voters are short of disk: what makes the state grow is to be refused everywhere.
        #[serde(default)]
        most_are_short: bool,
    },
    /// Expiries of the member's sessions are under way.
    Wait,
    NotLeader,
}

/// What an unformed or formed member says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Probed {
    pub name: String,
    pub identity: Option<Identity>,
    /// The disk's random id; there from the first start on.
    pub disk_id: String,
    /// The static list that the member was started with, in canonical form; empty without one.
    pub ensemble_list: String,
    /// Whether the member's log holds anything: then it is part of a formed ensemble, whatever else it says.
    pub has_log: bool,
    pub client_addr: String,
    pub http_addr: String,
    pub peer_addr: String,
    /// Where its admin port listens; empty from a release that does not say.
    #[serde(default)]
    pub admin_addr: String,
}

/// What makes an unformed member part of an ensemble.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Adoption {
    pub ensemble_id: String,
    pub node_id: NodeId,
    /// Must be that of the disk asked, so that an order meant for a lost disk reaches no new one.
    pub disk_id: String,
}

pub(crate) fn put_append(out: &mut BytesMut, request: &AppendRequest) {
    codec::put_vote(out, &request.vote);
    codec::put_log_id(out, request.prev_log_id.as_ref());
    codec::put_log_id(out, request.leader_commit.as_ref());
    out.put_u32(u32::try_from(request.entries.len()).unwrap_or(u32::MAX));
    for entry in &request.entries {
        out.put_u64(codec::term_of(&entry.log_id));
        out.put_u64(entry.log_id.index());
        let at = out.len();
        out.put_u32(0);
        codec::put_payload(out, &entry.payload);
        let len = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
        out[at..at + 4].copy_from_slice(&len.to_be_bytes());
    }
}

pub(crate) fn get_append(mut from: Bytes) -> std::io::Result<AppendRequest> {
    use bytes::Buf;
    let short = |_| damaged("append request");
    let vote = codec::get_vote(&mut from)?;
    let prev_log_id = codec::get_log_id(&mut from)?;
    let leader_commit = codec::get_log_id(&mut from)?;
    let count = from.try_get_u32().map_err(short)? as usize;
    let mut entries: Vec<Entry> = Vec::with_capacity(count.min(from.len() / 20));
    for _ in 0..count {
        let term = from.try_get_u64().map_err(short)?;
        let index = from.try_get_u64().map_err(short)?;
        let len = from.try_get_u32().map_err(short)? as usize;
        if len > from.len() {
            return Err(damaged("append request"));
        }
        entries.push(codec::entry(term, index, from.split_to(len))?);
    }
    Ok(AppendRequest { vote, prev_log_id, entries, leader_commit })
}

const SUCCESS: u8 = 0;
const PARTIAL: u8 = 1;
const CONFLICT: u8 = 2;
const HIGHER_VOTE: u8 = 3;

pub(crate) fn put_append_answer(out: &mut BytesMut, answer: &AppendResponse) {
    match answer {
        AppendResponse::Success => out.put_u8(SUCCESS),
        AppendResponse::PartialSuccess(upto) => {
            out.put_u8(PARTIAL);
            codec::put_log_id(out, upto.as_ref());
        }
        AppendResponse::Conflict => out.put_u8(CONFLICT),
        AppendResponse::HigherVote(vote) => {
            out.put_u8(HIGHER_VOTE);
            codec::put_vote(out, vote);
        }
    }
}

pub(crate) fn get_append_answer(mut from: Bytes) -> std::io::Result<AppendResponse> {
    use bytes::Buf;
    match from.try_get_u8().map_err(|_| damaged("append answer"))? {
        SUCCESS => Ok(AppendResponse::Success),
        PARTIAL => Ok(AppendResponse::PartialSuccess(codec::get_log_id(&mut from)?)),
        CONFLICT => Ok(AppendResponse::Conflict),
        HIGHER_VOTE => Ok(AppendResponse::HigherVote(codec::get_vote(&mut from)?)),
        _ => Err(damaged("append answer")),
    }
}

/// The leader that a committed vote belongs to.
pub(crate) fn leader_of(vote: &super::super::types::Vote) -> Option<NodeId> {
    let LeaderId { voted_for, .. } = vote.leader_id;
    vote.committed.then_some(voted_for)
}
