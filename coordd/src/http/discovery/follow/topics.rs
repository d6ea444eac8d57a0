//! Which topics there are: one for all who ask the same, and not without bounds.
//!
//! ```text
//!   find(key) ─ known ─► that one          places taken? ─► those that nobody follows go ─► still? 503
//!             └ new ──► a place ─► Topic   (all: 2,000, of one path: 128)
//! ```
//!
//! Rule: whoever finds a topic is counted as its follower under the same lock, so a topic that is taken out here has
//! none and gets none, and its task ends wherever it waits: the bounds are bounds of tasks too. Reason: strangers
//! choose what they ask, and by other words or passwords they make as many topics of one path as they like; each of
//! them reads and encodes at every change. What anybody asks who says nothing but the path always finds a place among
//! those of the path: strangers do not keep it from the others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::asked::Key;
use super::super::problem::Refused;
use super::topic::Topic;

const TOPICS_MAX: usize = 2_000;
pub(super) const OF_PATH_MAX: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Topics {
    of_path: BTreeMap<String, BTreeMap<Key, Arc<Topic>>>,
    count: usize,
}

impl Topics {
    fn known(&self, key: &Key) -> Option<&Arc<Topic>> {
        self.of_path.get(&key.path)?.get(key)
    }

    /// The topic of `key`, which has one follower more now.
    pub(super) fn find(&self, key: &Key) -> Option<Arc<Topic>> {
        let topic = self.known(key)?;
        topic.followers.fetch_add(1, Ordering::SeqCst);
        Some(topic.clone())
    }

    /// Makes sure of a place for the topic of `key`. Where there are places but for this path, others keep theirs.
    pub(super) fn make_room(&mut self, key: &Key) -> Result<(), Refused> {
        let is_unused = |topic: &Topic| topic.followers.load(Ordering::SeqCst) == 0;
        let unused = |topics: &BTreeMap<Key, Arc<Topic>>| -> Vec<Key> {
            topics.iter().filter(|(_, topic)| is_unused(topic)).map(|(key, _)| key.clone()).collect()
        };
        let gone: Vec<Key> = if self.count >= TOPICS_MAX {
            self.of_path.values().flat_map(unused).collect()
        } else if self.is_full(key).is_some() {
            self.of_path.get(&key.path).map(unused).unwrap_or_default()
        } else {
            Vec::new()
        };
        gone.iter().for_each(|key| self.take_out(key));
        self.is_full(key).map_or(Ok(()), |why| Err(Refused::Busy(why)))
    }

    fn is_full(&self, key: &Key) -> Option<&'static str> {
        if self.count >= TOPICS_MAX {
            return Some("too many different things are followed");
        }
        let of_path = self.of_path.get(&key.path).map_or(0, BTreeMap::len);
        (of_path >= OF_PATH_MAX && !key.is_plain()).then_some("too many different things of this path are followed")
    }

    /// Puts a new topic in, with one follower.
    pub(super) fn put(&mut self, key: &Key, topic: &Arc<Topic>) {
        topic.followers.fetch_add(1, Ordering::SeqCst);
        let of_path = self.of_path.entry(key.path.clone()).or_default();
        if of_path.insert(key.clone(), topic.clone()).is_none() {
            self.count += 1;
        }
    }

    pub(super) fn knows(&self, key: &Key, topic: &Arc<Topic>) -> bool {
        self.known(key).is_some_and(|known| Arc::ptr_eq(known, topic))
    }

    pub(super) fn remove(&mut self, key: &Key, topic: &Arc<Topic>) {
        if self.knows(key, topic) {
            self.take_out(key);
        }
    }

    fn take_out(&mut self, key: &Key) {
        let Some(of_path) = self.of_path.get_mut(&key.path) else { return };
        if let Some(topic) = of_path.remove(key) {
            self.count -= 1;
            topic.out.notify_one();
        }
        if of_path.is_empty() {
            self.of_path.remove(&key.path);
        }
    }
}

#[cfg(test)]
impl Topics {
    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn all(&self) -> Vec<Arc<Topic>> {
        self.of_path.values().flat_map(BTreeMap::values).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use coordd_proto::AuthId;

    use super::super::super::asked::{Asked, Route};
    use super::*;
    use crate::discovery::question::Question;

    fn put(topics: &mut Topics, key: &Key) -> Result<Arc<Topic>, Refused> {
        topics.make_room(key)?;
        let asked = Asked { key: key.clone(), question: Question::Tree };
        let topic = Arc::new(Topic::without_task(Arc::new(asked)));
        topics.put(key, &topic);
        Ok(topic)
    }

    #[test]
    fn topics_of_one_path_and_of_all_have_bounds_and_those_that_nobody_follows_make_room() {
        let mut topics = Topics::default();
        let key = |path: &str, n: usize| {
            let mut key = Key::of_nobody(Route::Config, path);
            key.auth.push(AuthId::new("digest", n.to_string()));
            key
        };
        let of_one: Vec<_> = (0..OF_PATH_MAX).map(|n| put(&mut topics, &key("/a", n)).unwrap()).collect();
        assert!(put(&mut topics, &key("/a", OF_PATH_MAX)).is_err());
        assert!(topics.find(&key("/a", 3)).is_some_and(|known| Arc::ptr_eq(&known, &of_one[3])));
        let plain = Key::of_nobody(Route::Config, "/a");
        let of_nobody = put(&mut topics, &plain).unwrap();
        topics.remove(&plain, &of_nobody);
        of_one[7].followers.fetch_sub(1, Ordering::SeqCst);
        put(&mut topics, &key("/a", OF_PATH_MAX)).unwrap();
        assert!(!topics.knows(&key("/a", 7), &of_one[7]));
        put(&mut topics, &key("/other", 0)).unwrap().followers.fetch_sub(1, Ordering::SeqCst);
        of_one[8].followers.fetch_sub(1, Ordering::SeqCst);
        put(&mut topics, &key("/a", 8 + OF_PATH_MAX)).unwrap();
        assert!(topics.find(&key("/other", 0)).is_some(), "one full path takes no place of others");
        let others: Vec<_> =
            (OF_PATH_MAX + 1..TOPICS_MAX).map(|n| put(&mut topics, &key(&format!("/{n}"), 0)).unwrap()).collect();
        assert!(put(&mut topics, &key("/b", 0)).is_err());
        others.iter().for_each(|topic| assert_eq!(topic.followers.fetch_sub(1, Ordering::SeqCst), 1));
        put(&mut topics, &key("/b", 0)).unwrap();
        assert_eq!((topics.count(), topics.of_path.len()), (OF_PATH_MAX + 2, 3));
    }
}
