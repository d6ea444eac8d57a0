//! Which connection of this member holds which session.
//!
//! ```text
//!   SessionId ──► the connection that attached last          closed ──► (session, attach, last request) until reported
//! ```
//!
//! Rule: a session has one connection here; one that attaches later takes its place. A connection that closes is
//! reported once more, with the moment of its last request. Reason: the leader counts a session's timeout from its last
//! request, whether or not the socket still stands.

use std::collections::HashMap;
use std::sync::Arc;

use coordd_proto::SessionId;

use super::heard::{Heard, Look, Patience};
use crate::consensus::Contact;

/// What the registry needs to know of a connection.
pub trait Holder {
    fn session(&self) -> SessionId;
    fn attach(&self) -> u32;
    fn patience(&self) -> Patience;
    fn heard(&self) -> &Heard;
}

struct Closed {
    session: SessionId,
    attach: u32,
    last_ms: u64,
    grace_ms: u64,
}

/// The sessions that are connected here.
pub struct Registry<H> {
    holders: HashMap<SessionId, Arc<H>>,
    closed: Vec<Closed>,
}

impl<H> Default for Registry<H> {
    fn default() -> Self {
        Registry { holders: HashMap::new(), closed: Vec::new() }
    }
}

impl<H: Holder> Registry<H> {
    /// `holder` attached to its session just now.
    pub fn insert(&mut self, holder: Arc<H>) {
        self.holders.insert(holder.session(), holder);
    }

    pub fn get(&self, session: SessionId) -> Option<&Arc<H>> {
        self.holders.get(&session)
    }

    /// The connection is closed; a later holder of its session stays.
    pub fn remove(&mut self, holder: &H) {
        let session = holder.session();
        let Some(held) = self.holders.get(&session) else { return };
        if held.attach() == holder.attach() {
            self.holders.remove(&session);
            let last_ms = holder.heard().last_ms();
            let grace_ms = holder.patience().grace_ms(last_ms);
            self.closed.push(Closed { session, attach: holder.attach(), last_ms, grace_ms });
        }
    }

    /// The session is over: nothing of it is to be reported.
    pub fn forget(&mut self, session: SessionId) -> Option<Arc<H>> {
        self.holders.remove(&session)
    }

    /// Appends each session that spoke or whose connection closed since the last call, and gives up the silent ones:
    /// those returned must be closed without another answer.
    pub fn collect(&mut self, now_ms: u64, contacts: &mut Vec<Contact>) -> Vec<Arc<H>> {
        let mut given_up = Vec::new();
        let short = |ms: u64| u32::try_from(ms).unwrap_or(u32::MAX);
        for Closed { session, attach, last_ms, grace_ms } in self.closed.drain(..) {
            let (silent_ms, grace_ms) = (short(now_ms.saturating_sub(last_ms)), short(grace_ms));
            contacts.push(Contact { session, attach, silent_ms, grace_ms, closed: true });
        }
        for (&session, holder) in &self.holders {
            match holder.heard().look(now_ms, holder.patience()) {
                Look::Quiet => {}
                Look::Spoke { silent_ms } => contacts.push(Contact {
                    session,
                    attach: holder.attach(),
                    silent_ms: short(silent_ms),
                    grace_ms: short(holder.patience().grace_ms(now_ms.saturating_sub(silent_ms))),
                    closed: false,
                }),
                Look::GivenUp => given_up.push(holder.clone()),
            }
        }
        given_up
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<H>> {
        self.holders.values()
    }

    pub fn len(&self) -> usize {
        self.holders.len()
    }

    pub fn is_empty(&self) -> bool {
        self.holders.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fake {
        attach: u32,
        heard: Heard,
    }

    impl Holder for Fake {
        fn session(&self) -> SessionId {
            SessionId(7)
        }
        fn attach(&self) -> u32 {
            self.attach
        }
        fn patience(&self) -> Patience {
            Patience { timeout_ms: 1000, tick_ms: 100 }
        }
        fn heard(&self) -> &Heard {
            &self.heard
        }
    }

    fn fake(attach: u32, now_ms: u64) -> Arc<Fake> {
        let fake = Fake { attach, heard: Heard::default() };
        fake.heard.begin(now_ms);
        Arc::new(fake)
    }

    fn collected(registry: &mut Registry<Fake>, now_ms: u64) -> Vec<(u32, u32, bool)> {
        let mut contacts = Vec::new();
        registry.collect(now_ms, &mut contacts);
        contacts.iter().map(|c| (c.attach, c.silent_ms, c.closed)).collect()
    }

    #[test]
    fn a_closed_connection_is_reported_once_with_its_last_request() {
        let mut registry = Registry::default();
        let conn = fake(1, 100);
        registry.insert(conn.clone());
        assert_eq!(collected(&mut registry, 120), [(1, 20, false)]);
        registry.remove(&conn);
        assert_eq!(collected(&mut registry, 200), [(1, 100, true)]);
        assert!(collected(&mut registry, 300).is_empty());
    }

    #[test]
    fn an_older_connection_that_closes_leaves_the_newer_one_alone() {
        let mut registry = Registry::default();
        let (old, new) = (fake(1, 0), fake(2, 10));
        registry.insert(old.clone());
        registry.insert(new);
        registry.remove(&old);
        assert_eq!(registry.len(), 1);
        assert_eq!(collected(&mut registry, 10), [(2, 0, false)]);
    }

    #[test]
    fn a_silent_session_is_given_up_by_the_look_that_finds_it_silent() {
        let mut registry = Registry::default();
        let conn = fake(1, 1);
        registry.insert(conn);
        assert_eq!(collected(&mut registry, 1000), [(1, 999, false)]);
        let mut contacts = Vec::new();
        assert!(registry.collect(1099, &mut contacts).is_empty());
        assert_eq!(registry.collect(1100, &mut contacts).len(), 1);
        assert!(contacts.is_empty());
    }

    #[test]
    fn the_leader_is_told_what_the_tick_adds_to_the_timeout() {
        let mut registry = Registry::default();
        let conn = fake(1, 30);
        registry.insert(conn.clone());
        let mut contacts = Vec::new();
        registry.collect(40, &mut contacts);
        registry.remove(&conn);
        registry.collect(50, &mut contacts);
        let told: Vec<_> = contacts.iter().map(|contact| (contact.silent_ms, contact.grace_ms)).collect();
        assert_eq!(told, [(10, 70), (20, 70)]);
    }
}
