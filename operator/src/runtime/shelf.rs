//! What a watch has brought, reduced to what is used: one shelf for each kind of object.
//!
//! ```text
//!   watch ─► trim(object) ─► Shelf { (namespace, name) → small value } ─► observe
//!                                     └─ a value that changed ─► the clusters that it concerns are looked at again
//! ```
//!
//! Rule: a shelf keeps the trimmed value and nothing of the object, and says until it is complete that it is not.
//! Reason: a pod is ten kilobytes and the plan needs two hundred bytes of it; and an empty shelf that is taken for an
//! empty cluster is how operators delete what they did not see.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;
use kube::runtime::watcher::Event;

/// Why a shelf is not complete whose watch has not failed.
pub(crate) const NOT_LISTED: &str = "not listed yet";

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
    Listed,
    /// It could not be listed, and why; what was there before stays.
    Failing(String),
}

struct Shelved<T> {
    values: HashMap<Key, Arc<T>>,
    feeds: HashMap<Option<String>, Feed>,
}

/// The values of one kind.
pub(crate) struct Shelf<T> {
    inside: Mutex<Shelved<T>>,
}

impl<T: PartialEq> Shelf<T> {
    /// A shelf that is complete when each of `scopes` (a namespace, or `None` for all) has been listed.
    pub(crate) fn new(scopes: &[Option<String>]) -> Shelf<T> {
        let feeds = scopes.iter().map(|scope| (scope.clone(), Feed::NotListed)).collect();
        Shelf { inside: Mutex::new(Shelved { values: HashMap::new(), feeds }) }
    }

    fn lock(&self) -> MutexGuard<'_, Shelved<T>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the shelf is not complete.
    pub(crate) fn missing(&self) -> Option<String> {
        let inside = self.lock();
        inside.feeds.values().find_map(|feed| match feed {
            Feed::Listed => None,
            Feed::NotListed => Some(NOT_LISTED.to_owned()),
            Feed::Failing(why) => Some(why.clone()),
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

    /// Notes that the watch of `scope` failed. It will list again; until it had listed once, nothing is known.
    pub(crate) fn failed(&self, scope: &Option<String>, why: String) {
        let mut inside = self.lock();
        if let Some(feed) = inside.feeds.get_mut(scope).filter(|feed| **feed != Feed::Listed) {
            *feed = Feed::Failing(why);
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
            Event::Apply(object) => shelf.put(&Key::of(&object), trim(&object)),
            Event::Delete(object) => shelf.put(&Key::of(&object), None),
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
        shelf.lock().feeds.insert(self.scope.clone(), Feed::Listed);
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
        shelf.failed(&a, "connection refused".to_owned());
        assert_eq!(shelf.missing(), None, "what was listed once is late, not unknown");
        assert_eq!(*shelf.get(&Key::new("b", "x")).unwrap(), "2");
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
