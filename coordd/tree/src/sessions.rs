//! Sessions as the ensemble agrees on them: who, for how long, attached where, owning what.
//!
//! Rule: no deadline stands here. When a session is due is the leader's knowledge; that it ended is an entry of the
//! log (design D6). The attach number counts the connections that held the session, so that a late command of an older
//! one is known.

use std::collections::{BTreeMap, BTreeSet};

use coordd_proto::{ErrorCode, SessionId};

use crate::digest::Hash;
use crate::znode::NodeId;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Session {
    pub(crate) timeout_ms: i32,
    pub(crate) password: [u8; 16],
    pub(crate) attach: u32,
    /// The member whose connection holds it.
    pub(crate) member: u64,
    pub(crate) ephemerals: BTreeSet<NodeId>,
}

/// A session as others see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionView {
    pub id: SessionId,
    pub timeout_ms: i32,
    pub attach: u32,
    pub member: u64,
    pub ephemerals: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Sessions {
    by_id: BTreeMap<SessionId, Session>,
    ephemerals: usize,
    digest: u64,
}

impl Sessions {
    pub(crate) fn insert(&mut self, id: SessionId, session: Session) {
        self.digest = self.digest.wrapping_add(term(id, &session));
        self.ephemerals += session.ephemerals.len();
        self.by_id.insert(id, session);
    }

    pub(crate) fn remove(&mut self, id: SessionId) -> Option<Session> {
        let session = self.by_id.remove(&id)?;
        self.digest = self.digest.wrapping_sub(term(id, &session));
        self.ephemerals -= session.ephemerals.len();
        Some(session)
    }

    /// The session if `attach` is how it is held now.
    pub(crate) fn check(&self, id: SessionId, attach: u32) -> Result<&Session, ErrorCode> {
        let session = self.by_id.get(&id).ok_or(ErrorCode::SessionExpired)?;
        if session.attach == attach { Ok(session) } else { Err(ErrorCode::SessionMoved) }
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<&Session> {
        self.by_id.get(&id)
    }

    pub(crate) fn add_ephemeral(&mut self, id: SessionId, node: NodeId) {
        if let Some(session) = self.by_id.get_mut(&id) {
            self.ephemerals += usize::from(session.ephemerals.insert(node));
        }
    }

    pub(crate) fn drop_ephemeral(&mut self, id: SessionId, node: NodeId) {
        if let Some(session) = self.by_id.get_mut(&id) {
            self.ephemerals -= usize::from(session.ephemerals.remove(&node));
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.by_id.iter().map(|(&id, session)| (id, session))
    }

    pub(crate) fn views(&self) -> impl Iterator<Item = SessionView> {
        self.iter().map(|(id, session)| session.view(id))
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn ephemerals(&self) -> usize {
        self.ephemerals
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    #[cfg(feature = "planted")]
    pub(crate) fn forget_every_other(&mut self) {
        let ids: Vec<SessionId> = self.by_id.keys().copied().step_by(2).collect();
        ids.into_iter().for_each(|id| drop(self.remove(id)));
    }
}

impl Session {
    pub(crate) fn view(&self, id: SessionId) -> SessionView {
        let Session { timeout_ms, attach, member, ref ephemerals, .. } = *self;
        SessionView { id, timeout_ms, attach, member, ephemerals: ephemerals.len() }
    }
}

fn term(id: SessionId, session: &Session) -> u64 {
    Hash::new(4)
        .signed(id.0)
        .signed(i64::from(session.timeout_ms))
        .bytes(&session.password)
        .word(u64::from(session.attach))
        .word(session.member)
        .finish()
}
