//! Sessions: opened, attached anew, closed, expired.
//!
//! Rule: a session ends in one step with all its ephemerals, in the order of their slots, all of one zxid. An attach
//! raises the number that commands must carry; an expiry names the number that the leader saw, so that it cannot end a
//! session that meanwhile found a new member.

use coordd_proto::{ErrorCode, SessionId, Zxid};

use crate::command::Command;
use crate::outcome::{Change, Outcome, SessionInfo, SessionOutcome};
use crate::sessions::Session;
use crate::state::State;

pub(super) fn open(state: &mut State, zxid: Zxid, member: u64, timeout_ms: i32, password: [u8; 16]) -> Outcome {
    let (id, attach) = (SessionId(zxid.0), 1);
    let session = Session { timeout_ms, password, attach, member, ephemerals: Default::default() };
    state.sessions.insert(id, session);
    Outcome::Session(SessionOutcome::Opened(SessionInfo { id, timeout_ms, password, attach }))
}

pub(super) fn attach(state: &mut State, id: SessionId, password: [u8; 16], timeout_ms: i32, member: u64) -> Outcome {
    if !state.is_password_of(id, &password) {
        return Outcome::Done(Err(ErrorCode::SessionExpired));
    }
    let Some(old) = state.sessions.remove(id) else { return Outcome::Done(Err(ErrorCode::SessionExpired)) };
    let attach = old.attach.wrapping_add(1);
    state.sessions.insert(id, Session { timeout_ms, attach, member, ..old });
    Outcome::Session(SessionOutcome::Attached(SessionInfo { id, timeout_ms, password, attach }))
}

pub(super) fn close(state: &mut State, zxid: Zxid, command: &Command, changes: &mut Vec<Change>) -> Outcome {
    match state.sessions.check(command.session, command.attach) {
        Ok(_) => end(state, zxid, command.session, changes),
        Err(code) => Outcome::Done(Err(code)),
    }
}

pub(super) fn expire(state: &mut State, zxid: Zxid, id: SessionId, attach: u32, changes: &mut Vec<Change>) -> Outcome {
    match state.sessions.check(id, attach) {
        Ok(_) => end(state, zxid, id, changes),
        Err(_) => Outcome::Session(SessionOutcome::Unchanged),
    }
}

fn end(state: &mut State, zxid: Zxid, id: SessionId, changes: &mut Vec<Change>) -> Outcome {
    let ephemerals = state.sessions.get(id).map(|session| session.ephemerals.clone()).unwrap_or_default();
    for node in ephemerals {
        let path = state.znodes.path(node);
        state.delete_node(zxid, node, &path, changes);
    }
    state.sessions.remove(id);
    Outcome::Session(SessionOutcome::Ended(id))
}
