//! A subtree of configuration as a ConfigMap.
//!
//! Rule: two znodes never share a key. The one that a key is of keeps it; of two that come together neither has it; who
//! has it not is told. A key that is there is that of the znode that it spells (`db.url` that of `db/url`) if it is not
//! written down that it is another's. How many of a key's separators stand for a `/` is said once, as it is for most:
//! all (`db.url` of `db/url`), none (`db.url` of `db.url`), or the first ones; whose the other keys are is written
//! down for each. With more of those than annotations can hold, with more bytes than are allowed, or without a value
//! that is there and cannot be had any more, nothing is written, and what was there stays. Reason: whoever may make a
//! znode must not change the value that a running program has of another; and half of a configuration is another one.

use std::collections::BTreeMap;

use coordd_api::discovery::ConfigTree;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::mark::{self, APPLIED, DEPTH, ENSEMBLE, HOLDERS, SOURCE, ZXID};
use super::service::{annotation, change, owned};
use super::world::{Owned, Present};
use crate::crd::ServiceProjection;
use crate::crd::projection::{ConfigMapTarget, Rejection, Separator};

/// Kubernetes takes no longer key.
const KEY_MAX: usize = 253;
/// What may be written down of whose keys are: all annotations of an object have 256 KiB.
const HOLDERS_MAX: usize = 200 << 10;
/// All separators of a key stand for a `/`.
const ALL: usize = usize::MAX;
/// How many of the first ones may.
const DEPTHS: [usize; 4] = [ALL, 0, 1, 2];

/// What of a ConfigMap is compared.
#[derive(Clone, Debug, PartialEq)]
pub struct MapShape {
    labels: BTreeMap<String, String>,
    pub source: String,
    /// Of which change its values are, as the ensemble's id and its zxid.
    pub change: Option<(String, i64)>,
    applied: String,
    /// Hash of the value by key.
    values: BTreeMap<String, u64>,
    /// How many separators of its keys stand for a `/`, but for these: of those it is said whose they are.
    depth: usize,
    holders: BTreeMap<String, String>,
}

impl Default for MapShape {
    fn default() -> MapShape {
        MapShape {
            labels: BTreeMap::new(),
            source: String::new(),
            change: None,
            applied: String::new(),
            values: BTreeMap::new(),
            depth: ALL,
            holders: BTreeMap::new(),
        }
    }
}

impl MapShape {
    /// Whose a key is that is there.
    fn holder(&self, key: &str, target: &ConfigMapTarget) -> Option<String> {
        let known = || self.holders.get(key).cloned().unwrap_or_else(|| spelled(key, target, self.depth));
        self.values.contains_key(key).then(known)
    }

    pub(super) fn covers(&self, wanted: &MapShape) -> bool {
        wanted.labels.iter().all(|(key, value)| self.labels.get(key) == Some(value))
            && (&self.source, &self.applied) == (&wanted.source, &wanted.applied)
            && (self.depth, &self.holders) == (wanted.depth, &wanted.holders)
            && wanted.values.iter().all(|(key, value)| self.values.get(key) == Some(value))
    }

    pub(super) fn keys(&self) -> usize {
        self.values.len()
    }

    pub(super) fn is_of(&self, source: &str) -> bool {
        self.source == source
    }
}

/// What is compared of a ConfigMap that is there.
pub fn seen(map: &ConfigMap) -> Present<MapShape> {
    let values = map.data.iter().flatten().map(|(key, value)| (key.clone(), mark::hash(value)));
    Present {
        owned: owned(&map.metadata),
        shape: MapShape {
            labels: map.metadata.labels.clone().unwrap_or_default(),
            source: annotation(&map.metadata, SOURCE),
            change: change(&map.metadata),
            applied: annotation(&map.metadata, APPLIED),
            values: values.collect(),
            depth: annotation(&map.metadata, DEPTH).parse().unwrap_or(ALL),
            holders: serde_json::from_str(&annotation(&map.metadata, HOLDERS)).unwrap_or_default(),
        },
    }
}

/// The keys and values of a subtree.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Data {
    pub values: BTreeMap<String, String>,
    /// How many separators of a key stand for a `/`, but for the keys of `holders`.
    pub depth: usize,
    pub holders: BTreeMap<String, String>,
    /// Keys that are there, and whose values cannot be had any more; and why.
    pub unread: Vec<String>,
    pub rejected: Vec<Rejection>,
    pub bytes: usize,
}

fn at(tree: &ConfigTree, relative: &str) -> String {
    if relative.is_empty() { tree.path.clone() } else { format!("{}/{relative}", tree.path.trim_end_matches('/')) }
}

fn separator(target: &ConfigMapTarget) -> char {
    match target.separator {
        Separator::Dot => '.',
        Separator::Dash => '-',
        Separator::Underscore => '_',
    }
}

/// The znode that a key spells, where so many of its separators stand for a `/`.
fn spelled(key: &str, target: &ConfigMapTarget, depth: usize) -> String {
    let is_root = target.root_key.as_deref() == Some(key);
    if is_root { String::new() } else { key.replacen(separator(target), "/", depth) }
}

/// How most keys are read, and whose the others are, by the znodes of all keys.
fn told(all: &BTreeMap<String, &str>, target: &ConfigMapTarget) -> (usize, BTreeMap<String, String>) {
    let odd = |depth: usize| all.iter().filter(move |(key, relative)| spelled(key, target, depth) != **relative);
    let depth = DEPTHS.into_iter().min_by_key(|depth| odd(*depth).count()).unwrap_or(ALL);
    (depth, odd(depth).map(|(key, relative)| (key.clone(), (*relative).to_owned())).collect())
}

/// The key of a value; `None` for the root's where it is not asked for.
fn key(target: &ConfigMapTarget, relative: &str) -> Option<String> {
    if relative.is_empty() {
        return target.root_key.clone();
    }
    let separator = separator(target);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    Some(
        relative
            .chars()
            .map(|c| {
                if c == '/' {
                    separator
                } else if plain(c) {
                    c
                } else {
                    '_'
                }
            })
            .collect(),
    )
}

/// The keys and values of `tree`, where `there` is what was made of it before.
pub(super) fn data(tree: &ConfigTree, target: &ConfigMapTarget, there: Option<&MapShape>) -> Data {
    let nothing = MapShape::default();
    let there = there.unwrap_or(&nothing);
    let mut data = Data::default();
    let left_out = tree.left_out.iter().map(|left| (left.key.as_str(), left.reason.clone()));
    let mut rejected: Vec<(&str, String)> = left_out.collect();
    let mut alike: BTreeMap<String, Vec<(&str, &str)>> = BTreeMap::new();
    for (relative, value) in &tree.values {
        let Some(key) = key(target, relative) else { continue };
        if key.len() > KEY_MAX || key == "." || key == ".." || key.starts_with("..") {
            rejected.push((relative, format!("{key:?} is no key that a ConfigMap may have")));
        } else {
            alike.entry(key).or_default().push((relative, value));
        }
    }
    let mut holders = BTreeMap::new();
    for (key, alike) in alike {
        let known = there.holder(&key, target);
        let holder = match alike.as_slice() {
            [only] => Some(*only),
            several => several.iter().find(|(relative, _)| known.as_deref() == Some(*relative)).copied(),
        };
        for (relative, _) in alike.iter().filter(|one| Some(**one) != holder) {
            let other = alike.iter().map(|(other, _)| *other).find(|other| other != relative).unwrap_or_default();
            rejected.push((relative, format!("its key {key} is that of {other:?} too: rename one of the znodes")));
        }
        let Some((relative, value)) = holder else { continue };
        holders.insert(key.clone(), relative);
        data.bytes += key.len() + value.len();
        data.values.insert(key, value.to_owned());
    }
    (data.depth, data.holders) = told(&holders, target);
    data.unread = unread(tree, target, there);
    data.rejected =
        rejected.into_iter().map(|(relative, reason)| Rejection { znode: at(tree, relative), reason }).collect();
    data
}

/// The keys that are there and whose znodes are left out now, each for itself or with all below one that is.
fn unread(tree: &ConfigTree, target: &ConfigMapTarget, there: &MapShape) -> Vec<String> {
    let left_out: BTreeMap<&str, &str> =
        tree.left_out.iter().map(|left| (left.key.as_str(), left.reason.as_str())).collect();
    // Of one that shows what is below it only its own value is left out.
    let is_closed = |at: &str| {
        let below = if at.is_empty() { String::new() } else { format!("{at}/") };
        let value = tree.values.range(below.clone()..).next();
        let left = left_out.range(below.as_str()..).find(|(key, _)| **key != at);
        !value.is_some_and(|(key, _)| key.starts_with(&below)) && !left.is_some_and(|(key, _)| key.starts_with(&below))
    };
    let why = |key: &String| {
        let holder = there.holder(key, target)?;
        let left = std::iter::successors(Some(holder.as_str()), |at| above(at)).find(|at| left_out.contains_key(at));
        let left = left.filter(|at| *at == holder || is_closed(at))?;
        Some(format!("{key} ({} {})", at(tree, left), left_out.get(left)?))
    };
    there.values.keys().filter_map(why).collect()
}

/// The znode above another, where the top is "".
fn above(relative: &str) -> Option<&str> {
    match relative.rsplit_once('/') {
        Some((above, _)) => Some(above),
        None => (!relative.is_empty()).then_some(""),
    }
}

impl Data {
    /// How many keys it has to be written down for whose they are, if those are too many for that.
    pub(super) fn untold(&self) -> Option<usize> {
        // As JSON, with quotes, a colon and a comma.
        let bytes = self.holders.iter().map(|(key, relative)| key.len() + relative.len() + 6).sum::<usize>();
        (bytes > HOLDERS_MAX).then_some(self.holders.len())
    }
}

pub(super) fn config_map(
    projection: &ServiceProjection,
    name: &str,
    source: &str,
    (ensemble, zxid): (&str, i64),
    Data { values: data, depth, holders, .. }: Data,
    seen: Option<&Owned>,
) -> ConfigMap {
    let applied = mark::applied(&data);
    let change = [(ENSEMBLE, ensemble.to_owned()), (ZXID, zxid.to_string())];
    let mut annotations = vec![(SOURCE, source.to_owned()), (APPLIED, applied)];
    annotations.extend(change);
    if depth != ALL {
        annotations.push((DEPTH, depth.to_string()));
    }
    if !holders.is_empty() {
        annotations.extend(serde_json::to_string(&holders).map(|holders| (HOLDERS, holders)));
    }
    let metadata = ObjectMeta {
        annotations: Some(annotations.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ..mark::meta(projection, name, seen)
    };
    ConfigMap { metadata, data: Some(data), ..ConfigMap::default() }
}

#[cfg(test)]
mod tests {
    use coordd_api::discovery::LeftOut;

    use super::*;

    fn tree(values: &[(&str, &str)]) -> ConfigTree {
        let values = values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let left_out = vec![LeftOut { key: "secret".to_owned(), reason: "it may not be read".to_owned() }];
        ConfigTree { path: "/config/app".to_owned(), zxid: 7, values, left_out }
    }

    #[test]
    fn paths_become_keys_and_no_two_znodes_share_one() {
        let tree = tree(&[("", "root"), ("db.url", "a"), ("db/url", "b"), ("größe", "c"), ("..", "d")]);
        let found = data(&tree, &ConfigMapTarget::default(), None);
        assert_eq!(found.values, [("gr__e".to_owned(), "c".to_owned())].into(), "nobody knows whose db.url is");
        let rejected: Vec<_> = found.rejected.iter().map(|one| one.znode.as_str()).collect();
        assert_eq!(rejected, ["/config/app/secret", "/config/app/..", "/config/app/db.url", "/config/app/db/url"]);
        assert_eq!(found.bytes, "gr__e".len() + 1);
    }

    fn written(found: &Data) -> MapShape {
        let values = found.values.iter().map(|(key, value)| (key.clone(), mark::hash(value))).collect();
        MapShape { values, depth: found.depth, holders: found.holders.clone(), ..MapShape::default() }
    }

    #[test]
    fn whoever_has_a_key_keeps_it_when_another_znode_would_have_it_too() {
        let target = ConfigMapTarget::default();
        let mut there = written(&data(&tree(&[("db/url", "mine")]), &target, None));
        for (mine, theirs) in [("mine", "theirs"), ("mine2", "theirs"), ("mine3", "mine2"), ("theirs", "mine3")] {
            let found = data(&tree(&[("db.url", theirs), ("db/url", mine)]), &target, Some(&there));
            assert_eq!(found.values["db.url"], mine);
            there = written(&found);
        }
        let found = data(&tree(&[("db.url", "theirs")]), &target, Some(&there));
        assert_eq!(found.values["db.url"], "theirs", "it has gone");
        let there = written(&found);
        let found = data(&tree(&[("db.url", "theirs"), ("db/url", "mine")]), &target, Some(&there));
        assert_eq!(found.values["db.url"], "theirs", "it is written down that it is another's now");
    }

    #[test]
    fn a_key_is_not_taken_by_who_has_the_same_value_nor_lost_when_both_change() {
        let target = ConfigMapTarget::default();
        let there = written(&data(&tree(&[("db/url", "mine")]), &target, None));
        for (mine, theirs) in [("mine", "mine"), ("mine2", "theirs"), ("mine2", "mine")] {
            let found = data(&tree(&[("db.url", theirs), ("db/url", mine)]), &target, Some(&there));
            assert_eq!((found.values["db.url"].as_str(), found.rejected.len()), (mine, 2));
        }
    }

    #[test]
    fn a_key_cannot_be_had_when_its_own_znode_or_one_above_is_left_out() {
        let target = ConfigMapTarget::default();
        let values = [("db/url", "mine"), ("db/user", "me"), ("a.b", "odd"), ("top", "t")];
        let there = written(&data(&tree(&values), &target, None));
        let without = |values: &[(&str, &str)], left: &[&str]| {
            let left_out = left.iter().map(|key| LeftOut { key: (*key).to_owned(), reason: "x".to_owned() }).collect();
            data(&ConfigTree { left_out, ..tree(values) }, &target, Some(&there)).unread
        };
        assert_eq!(without(&values[2..], &["db"]), ["db.url (/config/app/db x)", "db.user (/config/app/db x)"]);
        assert_eq!(without(&values[1..], &["db"]), [""; 0], "it shows what is below it");
        assert_eq!(without(&values, &["db.url", "a/b", "to"]), [""; 0], "these keys are not theirs");
        assert_eq!(without(&values[3..], &["a.b"]), ["a.b (/config/app/a.b x)"]);
        assert_eq!(without(&[], &[""]).len(), 4, "nothing may be read any more");
    }

    #[test]
    fn of_many_keys_of_one_kind_nothing_needs_to_be_written_down_and_they_stay_whose_they_are() {
        let target = ConfigMapTarget::default();
        for prefix in ["", "app/", "env/app/"] {
            let paths: Vec<String> = (0..5000).map(|at| format!("{prefix}spring.server.some.long.name.{at}")).collect();
            let values: Vec<(&str, &str)> =
                paths.iter().map(|path| (path.as_str(), "v")).chain([("db/url", "w")]).collect();
            let found = data(&tree(&values), &target, None);
            assert_eq!((found.values.len(), found.untold()), (5001, None));
            assert!(found.holders.len() <= 1, "{:?}", found.holders);
            let there = written(&found);
            let alike = paths[0].replace('.', "/");
            let more: Vec<(&str, &str)> = values.iter().copied().chain([(alike.as_str(), "x")]).collect();
            let found = data(&tree(&more), &target, Some(&there));
            assert_eq!(found.values[&paths[0].replace('/', ".")], "v", "{alike} does not take it");
        }
    }

    #[test]
    fn more_keys_of_many_kinds_than_can_be_written_down_are_told() {
        let target = ConfigMapTarget::default();
        let path = |at: usize| format!("a{}b.some.long.name.{at}", ["/", ".c/", ".c/d/", "/c/d.e/f/"][at % 4]);
        let paths: Vec<String> = (0..9000).map(path).collect();
        let values: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "v")).collect();
        assert_eq!(data(&tree(&values[..1000]), &target, None).untold(), None);
        assert!(data(&tree(&values), &target, None).untold().is_some_and(|keys| keys > 3000));
    }

    #[test]
    fn the_root_has_a_key_where_one_is_given() {
        let target = ConfigMapTarget {
            root_key: Some("all".to_owned()),
            separator: Separator::Underscore,
            ..ConfigMapTarget::default()
        };
        let found = data(&tree(&[("", "root"), ("db/url", "b")]), &target, None);
        assert_eq!(found.values, [("all", "root"), ("db_url", "b")].map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }
}
