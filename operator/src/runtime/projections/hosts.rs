//! Host names that instances are registered by.
//!
//! ```text
//!   name. ─► getaddrinfo, on a thread ─► addresses ──────────► Found
//!                                     ├► no such name ───────► Unknown, if it is said twice of one that was found
//!                                     └► no answer, refused ─► as it was: Found, Unknown; or Waiting, for 5 minutes
//! ```
//!
//! Rule: what was found stays until a resolver says that there is no such name; one that is away does not take it. A
//! name that was never found is waited for, and no longer than a bound. Names are whole: nothing is appended to them.
//! Reason: after a node is drained the operator and the resolver may both be new, and the instances are as well as
//! before; but what is waited for holds the losses of its Service, and one name of a zone that nobody answers for must
//! not hold them for ever. What the operator's own namespace would make of a name is nobody's business in another.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dns_lookup::{AddrInfoHints, LookupError, LookupErrorKind, SockType, getaddrinfo};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::names::ClusterName;
use crate::projection::Host;
use crate::runtime::shelves::Calls;

/// A look comes every half minute.
const AGAIN: Duration = Duration::from_secs(20);
/// So long a name that was never found is waited for.
const PATIENCE: Duration = Duration::from_secs(300);
/// Of a name with more addresses the first ones are taken.
const ADDRESSES_MAX: usize = 16;
/// Questions on their way, each of which holds a thread until the system gives it up.
const AT_ONCE: usize = 64;
/// Of these, for the projections of one namespace: names of a zone that answers nobody make no other one wait.
const AT_ONCE_OF_ONE: usize = 8;
const NO_SUCH: &str = "there is no such name, or it has no address";

/// What the resolver says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Found(BTreeSet<IpAddr>),
    /// There is no such name.
    Absent,
    /// It cannot say.
    Away(String),
}

struct Entry {
    host: Host,
    /// Since when anybody has wanted to know it.
    since: Instant,
    asked: Instant,
    /// Its question is on its way.
    asking: bool,
    /// The last answer was that it is not there.
    absent: bool,
    users: BTreeSet<ClusterName>,
}

pub(crate) struct Hosts {
    entries: Mutex<HashMap<String, Entry>>,
    calls: Arc<Calls>,
    at_once: Arc<Semaphore>,
    /// By namespace.
    places: Mutex<HashMap<String, Arc<Semaphore>>>,
    resolver: fn(&str) -> Answer,
}

impl Default for Hosts {
    fn default() -> Hosts {
        Hosts::new(Arc::default())
    }
}

impl Hosts {
    pub(super) fn new(calls: Arc<Calls>) -> Hosts {
        let at_once = Arc::new(Semaphore::new(AT_ONCE));
        Hosts { entries: Mutex::default(), calls, at_once, places: Mutex::default(), resolver: resolve }
    }

    /// What is known of the names that `user` has asked for.
    pub(super) fn known(&self, user: &ClusterName) -> BTreeMap<String, Host> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = entries.iter().filter(|(_, entry)| entry.users.contains(user));
        mine.map(|(name, entry)| (name.clone(), entry.host.clone())).collect()
    }

    /// `user` wants to know these names from now on, and no others. It is called when there is news.
    pub(super) fn want(self: &Arc<Self>, user: &ClusterName, names: &BTreeSet<String>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|name, entry| {
            if !names.contains(name) {
                entry.users.remove(user);
            }
            !entry.users.is_empty()
        });
        let now = Instant::now();
        for name in names {
            let new = !entries.contains_key(name);
            let entry = entries.entry(name.clone()).or_insert_with(|| Entry {
                host: Host::Waiting,
                since: now,
                asked: now,
                asking: false,
                absent: false,
                users: BTreeSet::new(),
            });
            entry.users.insert(user.clone());
            if !entry.asking && (new || now.duration_since(entry.asked) >= AGAIN) {
                (entry.asked, entry.asking) = (now, true);
                tokio::spawn(Arc::clone(self).ask(name.clone(), self.place(&user.namespace)));
            }
        }
    }

    fn place(&self, namespace: &str) -> Arc<Semaphore> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that nobody waits for are made anew when they are needed.
        places.retain(|name, place| name == namespace || Arc::strong_count(place) > 1);
        let place = places.entry(namespace.to_owned());
        Arc::clone(place.or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE_OF_ONE))))
    }

    pub(super) fn forget(&self, user: &ClusterName) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, entry| {
            entry.users.remove(user);
            !entry.users.is_empty()
        });
    }

    async fn ask(self: Arc<Self>, name: String, place: Arc<Semaphore>) {
        let Ok(_own) = place.acquire().await else { return };
        let Ok(permit) = Arc::clone(&self.at_once).acquire_owned().await else { return };
        let (asked, resolver) = (name.clone(), self.resolver);
        let answer = tokio::task::spawn_blocking(move || {
            let answer = resolver(&asked);
            drop(permit);
            answer
        });
        let answer = answer.await.unwrap_or_else(|error| Answer::Away(error.to_string()));
        self.note(&name, answer);
    }

    fn note(&self, name: &str, answer: Answer) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = entries.get_mut(name) else { return };
        entry.asking = false;
        let host = match answer {
            Answer::Found(addresses) => {
                entry.absent = false;
                Host::Found(addresses.into_iter().take(ADDRESSES_MAX).collect())
            }
            Answer::Absent => {
                let was_absent = std::mem::replace(&mut entry.absent, true);
                match &entry.host {
                    Host::Found(_) if !was_absent => return,
                    _ => Host::Unknown(NO_SUCH.to_owned()),
                }
            }
            Answer::Away(why) => {
                tracing::debug!(name, why, "a host name cannot be asked for");
                if entry.host != Host::Waiting || entry.since.elapsed() < PATIENCE {
                    return;
                }
                Host::Unknown(why)
            }
        };
        if host != entry.host {
            entry.host = host;
            entry.users.iter().for_each(|user| self.calls.call(user.clone()));
        }
    }
}

/// Asks the system for a whole name.
fn resolve(name: &str) -> Answer {
    let whole = format!("{}.", name.trim_end_matches('.'));
    let hints = AddrInfoHints { socktype: SockType::Stream.into(), ..AddrInfoHints::default() };
    match getaddrinfo(Some(&whole), None, Some(hints)) {
        Ok(found) => {
            let found: BTreeSet<IpAddr> = found.flatten().map(|one| one.sockaddr.ip()).collect();
            if found.is_empty() { Answer::Absent } else { Answer::Found(found) }
        }
        Err(error) => judged(&error),
    }
}

fn judged(error: &LookupError) -> Answer {
    match error.kind() {
        LookupErrorKind::NoName | LookupErrorKind::NoData => Answer::Absent,
        _ => Answer::Away(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "db.invalid";

    fn user(name: &str) -> ClusterName {
        ClusterName::new("shop", name)
    }

    fn found(text: &[&str]) -> Answer {
        Answer::Found(text.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn away(_: &str) -> Answer {
        Answer::Away("timed out".to_owned())
    }

    fn hosts(resolver: fn(&str) -> Answer) -> Arc<Hosts> {
        Arc::new(Hosts { resolver, ..Hosts::default() })
    }

    fn names() -> BTreeSet<String> {
        BTreeSet::from([NAME.to_owned()])
    }

    async fn until_asked(hosts: &Arc<Hosts>) {
        while hosts.entries.lock().unwrap()[NAME].asking {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn a_resolver_that_is_away_says_nothing_of_a_name() {
        let hosts = hosts(away);
        hosts.want(&user("a"), &names());
        until_asked(&hosts).await;
        assert_eq!(hosts.known(&user("a"))[NAME], Host::Waiting);
        assert!(hosts.known(&user("b")).is_empty());
        hosts.note(NAME, found(&["10.0.0.1"]));
        hosts.note(NAME, away(NAME));
        assert_eq!(hosts.known(&user("a"))[NAME], Host::Found(vec!["10.0.0.1".parse().unwrap()]));
    }

    #[tokio::test]
    async fn a_name_that_is_never_answered_is_waited_for_until_a_bound() {
        let hosts = hosts(away);
        hosts.want(&user("a"), &names());
        until_asked(&hosts).await;
        let now = || hosts.known(&user("a"))[NAME].clone();
        let wait = |time: Duration| hosts.entries.lock().unwrap().get_mut(NAME).unwrap().since -= time;
        wait(PATIENCE - Duration::from_secs(10));
        hosts.note(NAME, away(NAME));
        assert_eq!(now(), Host::Waiting);
        wait(Duration::from_secs(10));
        hosts.note(NAME, away(NAME));
        assert_eq!(now(), Host::Unknown("timed out".to_owned()));
        hosts.note(NAME, found(&["10.0.0.1"]));
        hosts.note(NAME, away(NAME));
        assert_eq!(now(), Host::Found(vec!["10.0.0.1".parse().unwrap()]), "what was found stays");
    }

    #[tokio::test]
    async fn what_was_found_stays_until_it_is_said_twice_that_it_is_not_there() {
        let hosts = hosts(away);
        hosts.want(&user("a"), &names());
        let now = || hosts.known(&user("a"))[NAME].clone();
        let gone = Host::Unknown(NO_SUCH.to_owned());
        hosts.note(NAME, Answer::Absent);
        assert_eq!(now(), gone);
        hosts.note(NAME, found(&["10.0.0.2", "10.0.0.1"]));
        let both = Host::Found(vec!["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()]);
        for answer in [Answer::Absent, found(&["10.0.0.2", "10.0.0.1"]), Answer::Absent] {
            hosts.note(NAME, answer);
            assert_eq!(now(), both);
        }
        hosts.note(NAME, Answer::Absent);
        assert_eq!(now(), gone);
    }

    #[test]
    fn only_no_such_name_is_no_such_name() {
        // As getaddrinfo numbers them: EAI_NONAME, EAI_NODATA; EAI_AGAIN, EAI_FAIL, EAI_MEMORY.
        for (code, absent) in [(-2, true), (-5, true), (-3, false), (-4, false), (-10, false)] {
            assert_eq!(judged(&LookupError::new(code)) == Answer::Absent, absent, "{code}");
        }
    }

    #[tokio::test]
    async fn a_name_whose_question_is_on_its_way_is_not_asked_again() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        fn slow(_: &str) -> Answer {
            ASKED.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(50));
            Answer::Absent
        }
        let hosts = hosts(slow);
        for _ in 0..20 {
            hosts.want(&user("a"), &names());
            hosts.entries.lock().unwrap().get_mut(NAME).unwrap().asked -= AGAIN;
        }
        until_asked(&hosts).await;
        assert_eq!(ASKED.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn slow_names_of_one_namespace_make_no_other_wait() {
        use std::sync::atomic::{AtomicBool, Ordering};
        static OPEN: AtomicBool = AtomicBool::new(false);
        fn slow(name: &str) -> Answer {
            while name != NAME && !OPEN.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(5));
            }
            Answer::Absent
        }
        let hosts = hosts(slow);
        hosts.want(&user("a"), &(0..200).map(|at| format!("h{at}.invalid")).collect());
        hosts.want(&ClusterName::new("other", "b"), &names());
        let asked = tokio::time::timeout(Duration::from_secs(20), until_asked(&hosts)).await;
        OPEN.store(true, Ordering::Relaxed);
        assert!(asked.is_ok());
    }

    #[tokio::test]
    async fn a_name_that_nobody_uses_is_forgotten() {
        let hosts = hosts(away);
        hosts.want(&user("a"), &names());
        hosts.want(&user("b"), &names());
        hosts.want(&user("a"), &BTreeSet::new());
        assert_eq!(hosts.entries.lock().unwrap().len(), 1);
        hosts.forget(&user("b"));
        assert!(hosts.entries.lock().unwrap().is_empty());
    }
}
