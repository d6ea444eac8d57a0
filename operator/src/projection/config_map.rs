//! A subtree of configuration as a ConfigMap.
//!
//! Rule: two znodes never share a key. The one whose value is there already has it, which is written down; of two that
//! come together neither has it; who has it not is told. With more bytes than are allowed, or without a value that is
//! there and may not be read any more, nothing is written, and what was there stays. Reason: whoever may make a znode
//! must not change the value that a running program has of another; and half of a configuration is another one.

use std::collections::BTreeMap;

use coordd_api::discovery::ConfigTree;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::mark::{self, APPLIED, HOLDERS, SOURCE};
use super::service::{annotation, owned};
use super::world::{Owned, Present};
use crate::crd::ServiceProjection;
use crate::crd::projection::{ConfigMapTarget, Rejection, Separator};

/// Kubernetes takes no longer key.
const KEY_MAX: usize = 253;

/// What of a ConfigMap is compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MapShape {
    labels: BTreeMap<String, String>,
    source: String,
    applied: String,
    /// Hash of the value by key.
    values: BTreeMap<String, u64>,
    /// Of keys that several znodes would have: whose it is.
    holders: BTreeMap<String, String>,
}

impl MapShape {
    pub(super) fn covers(&self, wanted: &MapShape) -> bool {
        wanted.labels.iter().all(|(key, value)| self.labels.get(key) == Some(value))
            && (&self.source, &self.applied, &self.holders) == (&wanted.source, &wanted.applied, &wanted.holders)
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
            applied: annotation(&map.metadata, APPLIED),
            values: values.collect(),
            holders: serde_json::from_str(&annotation(&map.metadata, HOLDERS)).unwrap_or_default(),
        },
    }
}

/// The keys and values of a subtree.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Data {
    pub values: BTreeMap<String, String>,
    /// Of keys that several znodes would have: whose it is.
    pub holders: BTreeMap<String, String>,
    /// Keys that are there, and whose znodes may not be read any more.
    pub unread: Vec<String>,
    pub rejected: Vec<Rejection>,
    pub bytes: usize,
}

fn at(tree: &ConfigTree, relative: &str) -> String {
    if relative.is_empty() { tree.path.clone() } else { format!("{}/{relative}", tree.path.trim_end_matches('/')) }
}

/// The key of a value; `None` for the root's where it is not asked for.
fn key(target: &ConfigMapTarget, relative: &str) -> Option<String> {
    if relative.is_empty() {
        return target.root_key.clone();
    }
    let separator = match target.separator {
        Separator::Dot => '.',
        Separator::Dash => '-',
        Separator::Underscore => '_',
    };
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
    for (key, alike) in alike {
        let holder = match alike.as_slice() {
            [only] => Some(*only),
            several => holder(&key, several, there),
        };
        for (relative, _) in alike.iter().filter(|one| Some(**one) != holder) {
            let other = alike.iter().map(|(other, _)| *other).find(|other| other != relative).unwrap_or_default();
            rejected.push((relative, format!("its key {key} is that of {other:?} too: rename one of the znodes")));
        }
        let Some((relative, value)) = holder else { continue };
        if alike.len() > 1 {
            data.holders.insert(key.clone(), relative.to_owned());
        }
        data.bytes += key.len() + value.len();
        data.values.insert(key, value.to_owned());
    }
    let unread = tree.left_out.iter().filter_map(|left| key(target, &left.key));
    data.unread = unread.filter(|key| there.values.contains_key(key)).collect();
    data.rejected =
        rejected.into_iter().map(|(relative, reason)| Rejection { znode: at(tree, relative), reason }).collect();
    data
}

/// Which of several znodes has a key: the one that is known to, or whose value is there.
fn holder<'a>(key: &str, several: &[(&'a str, &'a str)], there: &MapShape) -> Option<(&'a str, &'a str)> {
    let known = there.holders.get(key);
    let by_name = several.iter().find(|(relative, _)| known.is_some_and(|known| known == relative));
    let by_value = || several.iter().find(|(_, value)| there.values.get(key) == Some(&mark::hash(value)));
    by_name.or_else(by_value).copied()
}

pub(super) fn config_map(
    projection: &ServiceProjection,
    name: &str,
    source: &str,
    Data { values: data, holders, .. }: Data,
    seen: Option<&Owned>,
) -> ConfigMap {
    let applied = mark::applied(&data);
    let mut annotations = vec![(SOURCE, source.to_owned()), (APPLIED, applied)];
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
        MapShape { values, holders: found.holders.clone(), ..MapShape::default() }
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
        assert_eq!((found.values["db.url"].as_str(), found.holders.len()), ("theirs", 0), "it has gone");
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
