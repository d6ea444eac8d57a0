//! Host names that instances are registered by.
//!
//! Rule: a name is asked for every half minute, and the last addresses that it was found to have stay until it is found
//! to have others. Reason: a resolver that is away for a moment is no reason to take an endpoint away.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::names::ClusterName;
use crate::projection::Host;
use crate::runtime::shelves::Calls;

const AGAIN: Duration = Duration::from_secs(30);
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Of a name with more addresses the first ones are taken.
const ADDRESSES_MAX: usize = 16;
/// Names of all projections together.
const NAMES_MAX: usize = 4096;

struct Entry {
    host: Host,
    asked: Instant,
    users: BTreeSet<ClusterName>,
}

#[derive(Default)]
pub(crate) struct Hosts {
    entries: Mutex<HashMap<String, Entry>>,
    calls: Arc<Calls>,
}

impl Hosts {
    pub(super) fn new(calls: Arc<Calls>) -> Hosts {
        Hosts { entries: Mutex::default(), calls }
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
            // Those beyond are waited for, and what is there stays.
            if new && entries.len() >= NAMES_MAX {
                continue;
            }
            let entry = entries.entry(name.clone()).or_insert_with(|| Entry {
                host: Host::Waiting,
                asked: now,
                users: BTreeSet::new(),
            });
            entry.users.insert(user.clone());
            if new || now.duration_since(entry.asked) >= AGAIN {
                entry.asked = now;
                tokio::spawn(Arc::clone(self).ask(name.clone()));
            }
        }
    }

    pub(super) fn forget(&self, user: &ClusterName) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, entry| {
            entry.users.remove(user);
            !entry.users.is_empty()
        });
    }

    async fn ask(self: Arc<Self>, name: String) {
        let found = timeout(ANSWER_MAX, tokio::net::lookup_host((name.as_str(), 0))).await;
        let found = match found {
            Ok(Ok(addresses)) => Ok(addresses.map(|address| address.ip()).collect::<BTreeSet<IpAddr>>()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {} s", ANSWER_MAX.as_secs())),
        };
        self.note(&name, found);
    }

    fn note(&self, name: &str, found: Result<BTreeSet<IpAddr>, String>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = entries.get_mut(name) else { return };
        let host = match (found, &entry.host) {
            (Ok(addresses), _) if !addresses.is_empty() => {
                Host::Found(addresses.into_iter().take(ADDRESSES_MAX).collect())
            }
            // The last good ones stay.
            (_, Host::Found(addresses)) => Host::Found(addresses.clone()),
            (Ok(_), _) => Host::Unknown("it has no address".to_owned()),
            (Err(why), _) => Host::Unknown(why),
        };
        if host != entry.host {
            entry.host = host;
            entry.users.iter().for_each(|user| self.calls.call(user.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> ClusterName {
        ClusterName::new("shop", name)
    }

    fn addresses(text: &[&str]) -> BTreeSet<IpAddr> {
        text.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[tokio::test]
    async fn what_was_found_stays_until_something_else_is_found() {
        let hosts = Arc::new(Hosts::default());
        let names = BTreeSet::from(["db.invalid".to_owned()]);
        hosts.want(&user("a"), &names);
        let now = |hosts: &Arc<Hosts>| hosts.known(&user("a"))["db.invalid"].clone();
        assert_eq!(now(&hosts), Host::Waiting);
        assert!(hosts.known(&user("b")).is_empty());
        hosts.note("db.invalid", Err("no such name".to_owned()));
        assert_eq!(now(&hosts), Host::Unknown("no such name".to_owned()));
        hosts.note("db.invalid", Ok(addresses(&["10.0.0.2", "10.0.0.1"])));
        let found = Host::Found(vec!["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()]);
        assert_eq!(now(&hosts), found);
        hosts.note("db.invalid", Err("the resolver is away".to_owned()));
        hosts.note("db.invalid", Ok(BTreeSet::new()));
        assert_eq!(now(&hosts), found);
    }

    #[tokio::test]
    async fn a_name_that_nobody_uses_is_forgotten() {
        let hosts = Arc::new(Hosts::default());
        let names = BTreeSet::from(["db.invalid".to_owned()]);
        hosts.want(&user("a"), &names);
        hosts.want(&user("b"), &names);
        hosts.want(&user("a"), &BTreeSet::new());
        assert_eq!(hosts.entries.lock().unwrap().len(), 1);
        hosts.forget(&user("b"));
        assert!(hosts.entries.lock().unwrap().is_empty());
    }
}
