//! When each session is to be expired; what a leader knows of the others' clients. Pure: times in, due sessions out.
//!
//! ```text
//!   report(m, sent S, contacts) ─► contact of each session on m's clock;  due when S − contact ≥ timeout   (m's word)
//!   no report of m since R       ─► its sessions are due at R + timeout + bound                      (m is silent)
//! ```
//!
//! Rule: times of a member's clock are compared only with times of the same clock and the same boot; a session of
//! which nothing was heard under this leader counts from the next report of its member, and gets what that member may
//! grant it, half a timeout at most; within one boot contacts only grow, in whatever order reports are taken in.
//! Reason: liveness rules 4 and 5; two reports may overtake each other on their way.

use std::collections::{BTreeSet, HashMap};

use coordd_proto::SessionId;

use crate::raft::peer::call::ContactReport;

/// Where a session is attached, from the state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Attachment {
    pub session: SessionId,
    pub attach: u32,
    pub member: u64,
    pub timeout_ms: u64,
}

struct Tracked {
    at: Attachment,
    /// On the member's clock; `None` until its member reported under this leader.
    contact_ms: Option<u64>,
}

struct MemberClock {
    /// Boot and time of the newest report, on the member's clock.
    newest: (u32, u64),
    /// Leader's clock at the newest report, or when this leader began.
    heard_ms: u64,
    bound_ms: u64,
    /// (deadline on the member's clock, session)
    due: BTreeSet<(u64, SessionId)>,
    /// Attached here, not heard of yet.
    fresh: BTreeSet<SessionId>,
    /// Expiries decided because the member was silent, not applied yet.
    expiring: BTreeSet<SessionId>,
}

/// The book of one leadership.
pub(crate) struct Deadlines {
    begun_ms: u64,
    default_bound_ms: u64,
    sessions: HashMap<SessionId, Tracked>,
    members: HashMap<u64, MemberClock>,
}

impl Deadlines {
    /// Begins a leadership at `now_ms`: every session gets its full timeout and more. `default_bound_ms` is the
    /// longest that any member may have, since each that has not reported yet may have been told less or more than
    /// this one.
    pub(crate) fn begin(now_ms: u64, default_bound_ms: u64, sessions: impl Iterator<Item = Attachment>) -> Deadlines {
        let mut book =
            Deadlines { begun_ms: now_ms, default_bound_ms, sessions: HashMap::new(), members: HashMap::new() };
        sessions.for_each(|at| book.attached(at));
        book
    }

    fn member(&mut self, member: u64) -> &mut MemberClock {
        let (heard_ms, bound_ms) = (self.begun_ms, self.default_bound_ms);
        self.members.entry(member).or_insert_with(|| MemberClock {
            newest: (0, 0),
            heard_ms,
            bound_ms,
            due: BTreeSet::new(),
            fresh: BTreeSet::new(),
            expiring: BTreeSet::new(),
        })
    }

    /// A session was opened or attached anew. An older attachment than the known one is old news.
    pub(crate) fn attached(&mut self, at: Attachment) {
        if self.sessions.get(&at.session).is_some_and(|known| known.at.attach >= at.attach) {
            return;
        }
        self.ended(at.session);
        self.member(at.member).fresh.insert(at.session);
        self.sessions.insert(at.session, Tracked { at, contact_ms: None });
    }

    pub(crate) fn ended(&mut self, session: SessionId) {
        let Some(Tracked { at, contact_ms }) = self.sessions.remove(&session) else { return };
        let clock = self.member(at.member);
        clock.fresh.remove(&session);
        clock.expiring.remove(&session);
        if let Some(contact) = contact_ms {
            clock.due.remove(&(contact + at.timeout_ms, session));
        }
    }

    pub(crate) fn knows(&self, session: SessionId) -> bool {
        self.sessions.contains_key(&session)
    }

    fn contact(&mut self, session: SessionId, contact_ms: u64) {
        let Some(tracked) = self.sessions.get_mut(&session) else { return };
        let contact_ms = tracked.contact_ms.map_or(contact_ms, |known| known.max(contact_ms));
        let before = tracked.contact_ms.replace(contact_ms);
        let at = tracked.at;
        let clock = self.member(at.member);
        clock.fresh.remove(&session);
        if let Some(before) = before {
            clock.due.remove(&(before + at.timeout_ms, session));
        }
        clock.due.insert((contact_ms + at.timeout_ms, session));
    }

    /// Takes a member's report in; one that a newer overtook says nothing any more. `false` while expiries of its
    /// sessions are under way: then it is not acknowledged.
    pub(crate) fn report(&mut self, member: u64, now_ms: u64, report: &ContactReport) -> bool {
        let clock = self.member(member);
        if !clock.expiring.is_empty() {
            return false;
        }
        let newest = clock.newest;
        if (report.boot, report.sent_ms) < newest {
            return true;
        }
        clock.newest = (report.boot, report.sent_ms);
        clock.heard_ms = now_ms;
        clock.bound_ms = report.bound_ms;
        if newest.0 != report.boot {
            let known: Vec<SessionId> =
                std::mem::take(&mut clock.due).into_iter().map(|(_, session)| session).collect();
            clock.fresh.extend(known.iter().copied());
            for session in known {
                if let Some(tracked) = self.sessions.get_mut(&session) {
                    tracked.contact_ms = None;
                }
            }
        }
        for &(session, attach, at_ms, _) in &report.contacts {
            let session = SessionId(session);
            if self.sessions.get(&session).is_some_and(|s| s.at.attach == attach && s.at.member == member) {
                self.contact(session, at_ms);
            }
        }
        for session in std::mem::take(&mut self.member(member).fresh) {
            let timeout_ms = self.sessions.get(&session).map_or(0, |tracked| tracked.at.timeout_ms);
            self.contact(session, report.sent_ms + report.grace_ms.min(timeout_ms / 2));
        }
        true
    }

    /// Sessions that their member's newest report, sent at `sent_ms`, shows to be silent for their timeout.
    pub(crate) fn due_by_report(&self, member: u64, sent_ms: u64) -> Vec<(SessionId, u32)> {
        let Some(clock) = self.members.get(&member) else { return Vec::new() };
        let due = clock.due.range(..=(sent_ms, SessionId(i64::MAX))).map(|(_, session)| *session);
        due.filter_map(|session| self.sessions.get(&session).map(|s| (session, s.at.attach))).collect()
    }

    /// The milliseconds that each session has left at `now_ms`, as far as its member has told.
    pub(crate) fn left(&self, now_ms: u64) -> Vec<(SessionId, u64)> {
        let left = |(session, tracked): (&SessionId, &Tracked)| {
            let clock = self.members.get(&tracked.at.member)?;
            let there_now = clock.newest.1 + now_ms.saturating_sub(clock.heard_ms);
            let due = tracked.contact_ms.unwrap_or(there_now) + tracked.at.timeout_ms;
            Some((*session, due.saturating_sub(there_now)))
        };
        self.sessions.iter().filter_map(left).collect()
    }

    /// Sessions of members that are silent themselves.
    pub(crate) fn due_by_silence(&mut self, now_ms: u64) -> Vec<(SessionId, u32)> {
        let mut due = Vec::new();
        for clock in self.members.values_mut() {
            let silent_ms = now_ms.saturating_sub(clock.heard_ms + clock.bound_ms);
            if silent_ms == 0 {
                continue;
            }
            let here = clock.due.iter().map(|(_, session)| session).chain(&clock.fresh);
            let late: Vec<SessionId> = here
                .filter(|session| self.sessions.get(session).is_some_and(|s| silent_ms >= s.at.timeout_ms))
                .filter(|session| !clock.expiring.contains(session))
                .copied()
                .collect();
            for session in late {
                clock.expiring.insert(session);
                due.extend(self.sessions.get(&session).map(|s| (session, s.at.attach)));
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: SessionId = SessionId(7);

    fn at(attach: u32, member: u64) -> Attachment {
        Attachment { session: S, attach, member, timeout_ms: 1000 }
    }

    fn report(sent_ms: u64, contacts: &[(i64, u32, u64, bool)]) -> ContactReport {
        let contacts = contacts.to_vec();
        ContactReport { boot: 1, sent_ms, bound_ms: 250, grace_ms: 0, contacts, short_of_disk: false }
    }

    #[test]
    fn a_session_is_due_on_its_members_word_and_not_a_millisecond_before() {
        let mut book = Deadlines::begin(0, 250, [at(1, 1)].into_iter());
        assert!(book.report(1, 5, &report(90_000, &[(7, 1, 89_960, false)])));
        assert!(book.due_by_report(1, 90_959).is_empty());
        assert_eq!(book.due_by_report(1, 90_960), [(S, 1)]);
        assert!(book.report(1, 900, &report(90_900, &[(7, 1, 90_900, false)])));
        assert!(book.due_by_report(1, 90_960).is_empty());
    }

    #[test]
    fn what_a_session_has_left_runs_down_on_the_leaders_clock() {
        let mut book = Deadlines::begin(0, 250, [at(1, 1)].into_iter());
        assert_eq!(book.left(70), [(S, 1000)], "nothing was heard yet");
        assert!(book.report(1, 100, &report(90_000, &[(7, 1, 89_960, false)])));
        assert_eq!((book.left(100), book.left(600), book.left(5000)), (vec![(S, 960)], vec![(S, 460)], vec![(S, 0)]));
    }

    #[test]
    fn a_silent_member_costs_the_bound_and_its_reports_wait_for_the_expiry() {
        let mut book = Deadlines::begin(0, 250, [at(1, 1)].into_iter());
        assert!(book.report(1, 100, &report(90_000, &[])));
        assert!(book.due_by_silence(1349).is_empty());
        assert_eq!(book.due_by_silence(1350), [(S, 1)]);
        assert!(book.due_by_silence(1351).is_empty(), "decided once");
        assert!(!book.report(1, 1352, &report(91_300, &[(7, 1, 91_300, false)])));
        book.ended(S);
        assert!(book.report(1, 1360, &report(91_400, &[])));
    }

    #[test]
    fn a_new_leader_gives_the_full_timeout_even_if_nothing_is_ever_heard() {
        let mut book = Deadlines::begin(10_000, 250, [at(1, 3)].into_iter());
        assert!(book.due_by_silence(11_249).is_empty());
        assert_eq!(book.due_by_silence(11_250), [(S, 1)]);
    }

    #[test]
    fn what_the_old_member_says_of_a_moved_session_does_not_count() {
        let mut book = Deadlines::begin(0, 250, [at(1, 1)].into_iter());
        book.report(1, 10, &report(5000, &[(7, 1, 5000, false)]));
        book.attached(at(2, 2));
        book.report(2, 20, &report(70_000, &[]));
        book.report(1, 2000, &report(7000, &[(7, 1, 5500, true)]));
        assert!(book.due_by_report(1, 7000).is_empty());
        assert_eq!(book.due_by_report(2, 71_000), [(S, 2)]);
        book.attached(at(1, 1));
        assert_eq!(book.due_by_report(2, 71_000), [(S, 2)], "old news changes nothing");
    }

    #[test]
    fn a_restarted_members_clock_is_not_compared_with_the_old_one() {
        let mut book = Deadlines::begin(0, 250, [at(1, 1)].into_iter());
        book.report(1, 10, &report(50_000, &[(7, 1, 50_000, false)]));
        let restarted = ContactReport { boot: 2, ..report(100, &[]) };
        book.report(1, 500, &restarted);
        assert!(book.due_by_report(1, 1099).is_empty());
        assert_eq!(book.due_by_report(1, 1100), [(S, 1)]);
    }

    #[test]
    fn a_session_that_was_not_named_gets_what_its_member_may_grant_it() {
        for (grace_ms, due) in [(200, 51_200), (2000, 51_500)] {
            let mut book = Deadlines::begin(0, 250, [at(1, 1)].into_iter());
            book.report(1, 10, &ContactReport { grace_ms, ..report(50_000, &[]) });
            assert!(book.due_by_report(1, due - 1).is_empty());
            assert_eq!(book.due_by_report(1, due), [(S, 1)]);
        }
    }

    #[test]
    fn a_report_that_a_newer_one_overtook_takes_no_contact_back() {
        let mut book = Deadlines::begin(0, 250, [at(1, 1)].into_iter());
        assert!(book.report(1, 5, &report(1100, &[(7, 1, 950, false)])));
        assert!(book.report(1, 6, &report(100, &[(7, 1, 80, false)])));
        assert!(book.due_by_report(1, 1949).is_empty());
        assert_eq!(book.due_by_report(1, 1950), [(S, 1)]);
        let of_an_older_life = ContactReport { boot: 0, ..report(90_000, &[]) };
        assert!(book.report(1, 7, &of_an_older_life));
        assert_eq!(book.due_by_report(1, 1950), [(S, 1)]);
    }

    #[test]
    fn a_contact_that_is_told_again_with_an_older_time_changes_nothing() {
        let mut book = Deadlines::begin(0, 250, [at(1, 1)].into_iter());
        assert!(book.report(1, 5, &report(1000, &[(7, 1, 950, false)])));
        assert!(book.report(1, 6, &report(1100, &[(7, 1, 80, false)])));
        assert!(book.due_by_report(1, 1949).is_empty());
    }
}
