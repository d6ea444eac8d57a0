//! What a watch has brought, reduced to what is used: one shelf for each kind of object.
//!
//! ```text
//!   watch ─► trim(object) ─► Shelf { (namespace, name) → small value } ─► observe
//!                                     └─ a value that changed ─► the clusters that it concerns are looked at again
//! ```
//!
//! Rule: a shelf keeps the trimmed value and nothing of the object, and says until it is complete that it is not; a
//! watch that fails for a minute has to list again before its shelf is complete. Reason: a pod is ten kilobytes and the
//! plan needs two hundred bytes of it; and an empty or an old shelf that is taken for the cluster as it is now is how
//! operators delete what they did not see.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kube::ResourceExt;
use kube::runtime::watcher::Event;

/// Why a shelf is not complete whose watch has not failed.
pub(crate) const NOT_LISTED: &str = "not listed yet";

const LATE_MAX: Duration = Duration::from_secs(60);
/// A watch that stands again and has nothing to tell is not heard of. But one that does not is tried again within ten
/// seconds, and each try ends within thirty: no error for so long means that it stood meanwhile.
const STOOD_AFTER: Duration = Duration::from_secs(60);

/// Namespace (empty for what has none) and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub namespace: String,
    pub name: String,
}

impl Key {
    pub(crate) fn new(namespace: impl Into<String>, name: impl Into<String>) -> Key {
        Key { namespace: namespace.into(), name: name.into() }
    }

    fn of(object: &impl ResourceExt) -> Key {
        Key::new(object.namespace().unwrap_or_default(), object.name_any())
    }
}

/// How far one watch of a shelf has come. A shelf has one for each namespace that is watched, or one for all.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Feed {
    NotListed,
    /// And whether it fails since.
    Listed(Option<Failing>),
    /// It cannot be listed, or has failed for too long since it was, and why; what was there before stays.
    Failed(String),
}

/// When a watch began to fail, and when it failed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Failing {
    since: Instant,
    last: Instant,
}

impl Failing {
    /// With one more failure, now.
    fn again(before: Option<Failing>, now: Instant) -> Failing {
        let since = before.filter(|one| now - one.last < STOOD_AFTER).map_or(now, |one| one.since);
        Failing { since, last: now }
    }
}

struct Shelved<T> {
    values: HashMap<Key, Arc<T>>,
    feeds: HashMap<Option<String>, Feed>,
}

/// The values of one kind.
pub(crate) struct Shelf<T> {
    inside: Mutex<Shelved<T>>,
    /// A watch that fails for so long shows what was, not what is.
    late_max: Duration,
}

impl<T: PartialEq> Shelf<T> {
    /// A shelf that is complete when each of `scopes` (a namespace, or `None` for all) has been listed.
    pub(crate) fn new(scopes: &[Option<String>]) -> Shelf<T> {
        let feeds = scopes.iter().map(|scope| (scope.clone(), Feed::NotListed)).collect();
        Shelf { inside: Mutex::new(Shelved { values: HashMap::new(), feeds }), late_max: LATE_MAX }
    }

    /// One that is called too late sooner.
    #[cfg(test)]
    pub(crate) fn late_after(self, late_max: Duration) -> Shelf<T> {
        Shelf { late_max, ..self }
    }

    fn lock(&self) -> MutexGuard<'_, Shelved<T>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the shelf is not complete.
    pub(crate) fn missing(&self) -> Option<String> {
        self.missing_of(|_| true)
    }

    /// Why it is not complete for what is in `namespace`, whatever is known of others.
    pub(crate) fn missing_in(&self, namespace: &str) -> Option<String> {
        self.missing_of(|scope| scope.as_ref().is_none_or(|scope| scope == namespace))
    }

    fn missing_of(&self, wanted: impl Fn(&Option<String>) -> bool) -> Option<String> {
        let inside = self.lock();
        let feeds = inside.feeds.iter().filter(|(scope, _)| wanted(scope));
        feeds.into_iter().find_map(|(_, feed)| match feed {
            Feed::Listed(_) => None,
            Feed::NotListed => Some(NOT_LISTED.to_owned()),
            Feed::Failed(why) => Some(why.clone()),
        })
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<T>> {
        self.lock().values.get(key).cloned()
    }

    /// All values that `wanted` says yes to.
    pub(crate) fn select(&self, wanted: impl Fn(&Key, &T) -> bool) -> Vec<(Key, Arc<T>)> {
        let inside = self.lock();
        let chosen = inside.values.iter().filter(|(key, value)| wanted(key, value));
        chosen.map(|(key, value)| (key.clone(), Arc::clone(value))).collect()
    }

    /// Notes that the watch of `scope` failed. Whether it has now failed for too long, and is to list anew: only a list
    /// makes the shelf complete again.
    pub(crate) fn failed(&self, scope: &Option<String>, why: String) -> bool {
        self.failed_at(scope, why, Instant::now())
    }

    fn failed_at(&self, scope: &Option<String>, why: String, now: Instant) -> bool {
        let mut inside = self.lock();
        let Some(feed) = inside.feeds.get_mut(scope) else { return false };
        let failing = match feed {
            Feed::Listed(before) => Some(Failing::again(*before, now)),
            Feed::NotListed | Feed::Failed(_) => None,
        };
        let still = failing.filter(|failing| failing.last - failing.since < self.late_max);
        *feed = still.map_or(Feed::Failed(why), |still| Feed::Listed(Some(still)));
        failing.is_some() && still.is_none()
    }

    /// Notes that the watch of `scope` stands: it has brought something new.
    fn stands(&self, scope: &Option<String>) {
        if let Some(Feed::Listed(failing)) = self.lock().feeds.get_mut(scope) {
            *failing = None;
        }
    }

    /// Puts a value there, or takes it away; what has changed by it.
    pub(crate) fn put(&self, key: &Key, value: Option<T>) -> Vec<Arc<T>> {
        let mut inside = self.lock();
        if inside.values.get(key).map(AsRef::as_ref) == value.as_ref() {
            return Vec::new();
        }
        let new = value.map(Arc::new);
        let old = match &new {
            Some(new) => inside.values.insert(key.clone(), Arc::clone(new)),
            None => inside.values.remove(key),
        };
        old.into_iter().chain(new).collect()
    }
}

/// Carries the events of one watch onto a shelf.
pub(crate) struct Carrier<T> {
    scope: Option<String>,
    /// What a list that is under way has brought.
    listed: HashMap<Key, Option<T>>,
}

impl<T: PartialEq> Carrier<T> {
    pub(crate) fn new(scope: Option<String>) -> Carrier<T> {
        Carrier { scope, listed: HashMap::new() }
    }

    /// Takes one event and returns every value, old and new, that has changed by it.
    pub(crate) fn take<K: ResourceExt>(
        &mut self,
        shelf: &Shelf<T>,
        event: Event<K>,
        trim: fn(&K) -> Option<T>,
    ) -> Vec<Arc<T>> {
        match event {
            Event::Apply(object) => {
                shelf.stands(&self.scope);
                shelf.put(&Key::of(&object), trim(&object))
            }
            Event::Delete(object) => {
                shelf.stands(&self.scope);
                shelf.put(&Key::of(&object), None)
            }
            // It says that it is about to list, not that it can.
            Event::Init => {
                self.listed.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                if let Some(value) = trim(&object) {
                    self.listed.insert(Key::of(&object), Some(value));
                }
                Vec::new()
            }
            Event::InitDone => self.replace(shelf),
        }
    }

    fn replace(&mut self, shelf: &Shelf<T>) -> Vec<Arc<T>> {
        let mut listed = std::mem::take(&mut self.listed);
        let here = |key: &Key| self.scope.as_ref().is_none_or(|scope| *scope == key.namespace);
        let gone: Vec<Key> = {
            let inside = shelf.lock();
            inside.values.keys().filter(|key| here(key) && !listed.contains_key(*key)).cloned().collect()
        };
        let mut changed: Vec<Arc<T>> = gone.iter().flat_map(|key| shelf.put(key, None)).collect();
        changed.extend(listed.drain().flat_map(|(key, value)| shelf.put(&key, value)));
        shelf.lock().feeds.insert(self.scope.clone(), Feed::Listed(None));
        changed
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::ObjectMeta;

    use super::*;

    fn object(namespace: &str, name: &str, version: &str) -> ConfigMap {
        let metadata = ObjectMeta {
            namespace: Some(namespace.to_owned()),
            name: Some(name.to_owned()),
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        };
        ConfigMap { metadata, ..ConfigMap::default() }
    }

    fn trim(object: &ConfigMap) -> Option<String> {
        object.metadata.resource_version.clone().filter(|version| version != "ignored")
    }

    fn list(shelf: &Shelf<String>, scope: Option<&str>, objects: Vec<ConfigMap>) -> Vec<Arc<String>> {
        let mut carrier = Carrier::new(scope.map(str::to_owned));
        let mut changed = carrier.take(shelf, Event::Init, trim);
        for object in objects {
            changed.extend(carrier.take(shelf, Event::InitApply(object), trim));
        }
        changed.extend(carrier.take(shelf, Event::InitDone, trim));
        changed
    }

    #[test]
    fn a_shelf_is_complete_when_every_namespace_has_been_listed() {
        let (a, b) = (Some("a".to_owned()), Some("b".to_owned()));
        let shelf = Shelf::new(&[a.clone(), b.clone()]);
        list(&shelf, Some("a"), vec![object("a", "x", "1")]);
        assert_eq!(shelf.missing().unwrap(), "not listed yet");
        shelf.failed(&b, "forbidden".to_owned());
        assert_eq!(shelf.missing().unwrap(), "forbidden");
        list(&shelf, Some("b"), vec![object("b", "x", "2")]);
        assert_eq!(shelf.missing(), None);
        assert!(!shelf.failed(&a, "connection refused".to_owned()));
        assert_eq!(shelf.missing(), None, "what was listed just now is late, not unknown");
        assert_eq!(*shelf.get(&Key::new("b", "x")).unwrap(), "2");
    }

    #[test]
    fn a_namespace_that_cannot_be_listed_hides_no_other() {
        let shelf = Shelf::<String>::new(&[Some("a".to_owned()), Some("b".to_owned())]);
        list(&shelf, Some("a"), vec![object("a", "x", "1")]);
        shelf.failed(&Some("b".to_owned()), "forbidden".to_owned());
        assert_eq!(shelf.missing_in("a"), None);
        assert_eq!(shelf.missing_in("b").unwrap(), "forbidden");
        assert_eq!(shelf.missing().unwrap(), "forbidden");
        assert_eq!(Shelf::<String>::new(&[None]).missing_in("a").unwrap(), NOT_LISTED, "all are in one list");
    }

    #[test]
    fn a_watch_that_fails_for_a_minute_has_to_list_again() {
        let shelf = Shelf::new(&[None]);
        list(&shelf, None, vec![object("a", "x", "1")]);
        let mut now = Instant::now();
        let mut fail = |seconds| {
            now += Duration::from_secs(seconds);
            shelf.failed_at(&None, "forbidden".to_owned(), now)
        };
        for wait in [0, 10, 40, 9] {
            assert!(!fail(wait));
            assert_eq!(shelf.missing(), None, "within the minute");
        }
        let mut carrier = Carrier::new(None);
        carrier.take(&shelf, Event::Apply(object("a", "x", "2")), trim);
        for wait in [5, 55, 70, 30] {
            assert!(!fail(wait), "something new came, or so long without an error it stood");
        }
        assert!(fail(31), "to be listed anew");
        assert_eq!(shelf.missing().unwrap(), "forbidden");
        assert_eq!(*shelf.get(&Key::new("a", "x")).unwrap(), "2", "what was there stays");
        carrier.take(&shelf, Event::Init, trim);
        assert!(!fail(600), "it is being listed anew already");
        assert_eq!(shelf.missing().unwrap(), "forbidden", "that it tries to list is no list");
        list(&shelf, None, vec![object("a", "x", "2")]);
        assert_eq!(shelf.missing(), None);
    }

    #[test]
    fn a_list_removes_what_is_gone_from_its_own_namespace_only() {
        let shelf = Shelf::new(&[Some("a".to_owned()), Some("b".to_owned())]);
        list(&shelf, Some("a"), vec![object("a", "x", "1"), object("a", "y", "1")]);
        list(&shelf, Some("b"), vec![object("b", "x", "1")]);
        let changed = list(&shelf, Some("a"), vec![object("a", "y", "1")]);
        assert_eq!(changed.len(), 1, "x of a went, y is as it was");
        assert_eq!(shelf.select(|_, _| true).len(), 2);
        assert_eq!(shelf.get(&Key::new("a", "x")), None);
    }

    #[test]
    fn only_a_change_of_the_trimmed_value_is_news() {
        let shelf = Shelf::new(&[None]);
        let mut carrier = Carrier::new(None);
        assert_eq!(carrier.take(&shelf, Event::Apply(object("a", "x", "1")), trim).len(), 1);
        assert_eq!(carrier.take(&shelf, Event::Apply(object("a", "x", "1")), trim).len(), 0);
        assert_eq!(carrier.take(&shelf, Event::Apply(object("a", "x", "2")), trim).len(), 2, "old and new");
        assert_eq!(carrier.take(&shelf, Event::Apply(object("a", "x", "ignored")), trim).len(), 1);
        assert!(shelf.select(|_, _| true).is_empty());
    }
}
