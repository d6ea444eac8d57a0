//! The bytes of log entries and votes, the same on disk and between members.
//!
//! ```text
//!   payload = format:u8 │ kind:u8 │ body    kind 0 blank, 1 command: time:i64 + encoded command, 2 membership: JSON
//!   vote    = term:u64 │ node:u64 │ committed:u8          log id = term:u64 │ index:u64, absent = two zeros
//! ```
//!
//! Rule: numbers are stable, unknown ones are errors (design D19). A command's bytes are sliced, never copied, on
//! decode.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use openraft::impls::EntryPayload;
use openraft::vote::RaftLeaderId;

use super::types::{Entry, LogId, Membership, Payload, Proposal, Vote};

const FORMAT: u8 = 1;
const BLANK: u8 = 0;
const COMMAND: u8 = 1;
const MEMBERSHIP: u8 = 2;

/// Bytes that are not what they should be.
pub(crate) fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} cannot be decoded; written by a newer release?"))
}

pub(crate) fn put_payload(out: &mut BytesMut, payload: &Payload) {
    out.put_u8(FORMAT);
    match payload {
        EntryPayload::Blank => out.put_u8(BLANK),
        EntryPayload::Normal(proposal) => {
            out.put_u8(COMMAND);
            out.put_i64(proposal.time_ms);
            out.put_slice(&proposal.command);
        }
        EntryPayload::Membership(membership) => {
            out.put_u8(MEMBERSHIP);
            // Plain maps and strings: serialising them has no way to fail.
            out.put_slice(&serde_json::to_vec(membership).unwrap_or_default());
        }
    }
}

/// How many bytes `put_payload` puts.
pub(crate) fn payload_len(payload: &Payload) -> usize {
    match payload {
        EntryPayload::Blank => 2,
        EntryPayload::Normal(proposal) => command_len(&proposal.command),
        EntryPayload::Membership(_) => {
            let mut out = BytesMut::new();
            put_payload(&mut out, payload);
            out.len()
        }
    }
}

/// The same for a command, before it became a payload.
pub(crate) fn command_len(command: &Bytes) -> usize {
    2 + 8 + command.len()
}

pub(crate) fn get_payload(mut bytes: Bytes) -> io::Result<Payload> {
    if bytes.len() < 2 || bytes.get_u8() != FORMAT {
        return Err(damaged("log entry"));
    }
    match bytes.get_u8() {
        BLANK => Ok(EntryPayload::Blank),
        COMMAND if bytes.len() >= 8 => {
            let time_ms = bytes.get_i64();
            Ok(EntryPayload::Normal(Proposal { time_ms, command: bytes }))
        }
        MEMBERSHIP => {
            let membership: Membership = serde_json::from_slice(&bytes).map_err(|_| damaged("membership entry"))?;
            Ok(EntryPayload::Membership(membership))
        }
        _ => Err(damaged("log entry")),
    }
}

pub(crate) fn log_id(term: u64, index: u64) -> LogId {
    LogId::new(committed_leader(term), index)
}

fn committed_leader(term: u64) -> openraft::alias::CommittedLeaderIdOf<super::types::TypeConfig> {
    openraft::impls::leader_id_std::LeaderId { term, voted_for: 0 }.to_committed()
}

pub(crate) fn entry(term: u64, index: u64, payload: Bytes) -> io::Result<Entry> {
    Ok(Entry { log_id: log_id(term, index), payload: get_payload(payload)? })
}

pub(crate) fn term_of(id: &LogId) -> u64 {
    **id.committed_leader_id()
}

pub(crate) fn put_log_id(out: &mut BytesMut, id: Option<&LogId>) {
    out.put_u8(u8::from(id.is_some()));
    out.put_u64(id.map_or(0, term_of));
    out.put_u64(id.map_or(0, |id| id.index()));
}

pub(crate) fn get_log_id(from: &mut Bytes) -> io::Result<Option<LogId>> {
    let present = from.try_get_u8().map_err(|_| damaged("log id"))? != 0;
    let term = from.try_get_u64().map_err(|_| damaged("log id"))?;
    let index = from.try_get_u64().map_err(|_| damaged("log id"))?;
    Ok(present.then(|| log_id(term, index)))
}

pub(crate) fn put_vote(out: &mut BytesMut, vote: &Vote) {
    out.put_u64(vote.leader_id.term);
    out.put_u64(vote.leader_id.voted_for);
    out.put_u8(u8::from(vote.committed));
}

pub(crate) fn get_vote(from: &mut Bytes) -> io::Result<Vote> {
    let term = from.try_get_u64().map_err(|_| damaged("vote"))?;
    let node = from.try_get_u64().map_err(|_| damaged("vote"))?;
    let committed = from.try_get_u8().map_err(|_| damaged("vote"))? != 0;
    Ok(if committed { Vote::new_committed(term, node) } else { Vote::new(term, node) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_survive_the_bytes() {
        let command = EntryPayload::Normal(Proposal { time_ms: 7, command: Bytes::from_static(b"xyz") });
        for payload in [EntryPayload::Blank, command] {
            let mut out = BytesMut::new();
            put_payload(&mut out, &payload);
            assert_eq!(out.len(), payload_len(&payload));
            assert!(get_payload(out.freeze()).unwrap() == payload);
        }
    }

    #[test]
    fn an_unknown_kind_or_format_is_an_error() {
        assert!(get_payload(Bytes::from_static(&[1, 9])).is_err());
        assert!(get_payload(Bytes::from_static(&[2, 0])).is_err());
        assert!(get_payload(Bytes::from_static(&[1])).is_err());
    }

    #[test]
    fn votes_and_log_ids_survive_the_bytes() {
        let mut out = BytesMut::new();
        put_vote(&mut out, &Vote::new_committed(3, 2));
        put_log_id(&mut out, Some(&log_id(3, 9)));
        put_log_id(&mut out, None);
        let mut bytes = out.freeze();
        assert_eq!(get_vote(&mut bytes).unwrap(), Vote::new_committed(3, 2));
        assert_eq!(get_log_id(&mut bytes).unwrap(), Some(log_id(3, 9)));
        assert_eq!(get_log_id(&mut bytes).unwrap(), None);
        assert!(get_log_id(&mut bytes).is_err());
    }
}
