//! A subtree of configuration as a ConfigMap.
//!
//! Rule: two znodes never share a key: the first by path has it, the other is told. With more bytes than are allowed
//! nothing is written, and what was there stays. Reason: half of a configuration is another configuration.

use std::collections::BTreeMap;

use coordd_api::discovery::ConfigTree;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::mark::{self, APPLIED, SOURCE};
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
}

impl MapShape {
    pub(super) fn covers(&self, wanted: &MapShape) -> bool {
        wanted.labels.iter().all(|(key, value)| self.labels.get(key) == Some(value))
            && (&self.source, &self.applied) == (&wanted.source, &wanted.applied)
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
        },
    }
}

/// The keys and values of a subtree.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Data {
    pub values: BTreeMap<String, String>,
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

pub(super) fn data(tree: &ConfigTree, target: &ConfigMapTarget) -> Data {
    let mut data = Data::default();
    let mut from: BTreeMap<String, &str> = BTreeMap::new();
    let left_out = tree.left_out.iter().map(|left| (left.key.as_str(), left.reason.clone()));
    let mut rejected: Vec<(&str, String)> = left_out.collect();
    for (relative, value) in &tree.values {
        let Some(key) = key(target, relative) else { continue };
        if key.len() > KEY_MAX || key == "." || key == ".." || key.starts_with("..") {
            rejected.push((relative, format!("{key:?} is no key that a ConfigMap may have")));
        } else if let Some(other) = from.get(&key) {
            rejected.push((relative, format!("its key {key} is that of {other:?} too: rename one of the znodes")));
        } else {
            data.bytes += key.len() + value.len();
            from.insert(key.clone(), relative);
            data.values.insert(key, value.clone());
        }
    }
    data.rejected =
        rejected.into_iter().map(|(relative, reason)| Rejection { znode: at(tree, relative), reason }).collect();
    data
}

pub(super) fn config_map(
    projection: &ServiceProjection,
    name: &str,
    source: &str,
    data: BTreeMap<String, String>,
    seen: Option<&Owned>,
) -> ConfigMap {
    let applied = mark::applied(&data);
    let annotations = [(SOURCE, source.to_owned()), (APPLIED, applied)];
    let metadata = ObjectMeta {
        annotations: Some(annotations.map(|(key, value)| (key.to_owned(), value)).into()),
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
        let found = data(&tree, &ConfigMapTarget::default());
        let keys: Vec<_> = found.values.keys().map(String::as_str).collect();
        assert_eq!(keys, ["db.url", "gr__e"]);
        assert_eq!(found.values["db.url"], "a");
        let rejected: Vec<_> = found.rejected.iter().map(|one| one.znode.as_str()).collect();
        assert_eq!(rejected, ["/config/app/secret", "/config/app/..", "/config/app/db/url"]);
        assert_eq!(found.bytes, "db.url".len() + "gr__e".len() + 2);
    }

    #[test]
    fn the_root_has_a_key_where_one_is_given() {
        let target = ConfigMapTarget {
            root_key: Some("all".to_owned()),
            separator: Separator::Underscore,
            ..ConfigMapTarget::default()
        };
        let found = data(&tree(&[("", "root"), ("db/url", "b")]), &target);
        assert_eq!(found.values, [("all", "root"), ("db_url", "b")].map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }
}
