//! An answer as it is kept: without what no plan reads, and with its size.
//!
//! Rule: sizes are those of what is kept in memory, not of the JSON that it came as. Reason: of many small instances
//! the one is several times the other.

use std::collections::BTreeMap;
use std::mem;

use coordd_api::discovery::{ConfigTree, Instance, LeaderView, ServiceEntry, ServiceList, ServiceView};
use serde::de::DeserializeOwned;

use crate::projection::mark::REGISTERED_BY;

/// What the allocator adds to a block, about.
const BLOCK: usize = 16;
/// Places of a node of a `BTreeMap`, of which at least about half are taken where there are several nodes.
const NODE: usize = 11;

/// An answer that a projection keeps.
pub(super) trait Kept: DeserializeOwned + PartialEq + Send + Sync + 'static {
    /// The same without what no plan reads.
    fn trimmed(self) -> Self;

    /// About how many bytes it takes.
    fn bytes(&self) -> usize;
}

fn text(text: &str) -> usize {
    if text.is_empty() { 0 } else { text.len() + BLOCK }
}

fn nodes<K, V>(map: &BTreeMap<K, V>) -> usize {
    let node = NODE * (size_of::<K>() + size_of::<V>()) + 2 * BLOCK;
    map.len().div_ceil(if map.len() > NODE { NODE.div_ceil(2) } else { NODE }) * node
}

fn instance(one: &Instance) -> usize {
    let texts = [&one.id, &one.address, &one.znode].map(|one| text(one)).iter().sum::<usize>();
    let ports = nodes(&one.ports) + one.ports.keys().map(|name| text(name)).sum::<usize>();
    let said = one.metadata.iter().map(|(key, value)| text(key) + text(value)).sum::<usize>();
    size_of::<Instance>() + texts + ports + nodes(&one.metadata) + said + one.zone.as_deref().map_or(0, text)
}

impl Kept for ServiceView {
    fn trimmed(mut self) -> ServiceView {
        for one in &mut self.instances {
            one.id = String::new();
            one.weight = None;
            one.metadata = mem::take(&mut one.metadata).into_iter().filter(|(key, _)| key == REGISTERED_BY).collect();
        }
        self.instances.shrink_to_fit();
        self.rejected.shrink_to_fit();
        self
    }

    fn bytes(&self) -> usize {
        let rejected = self.rejected.iter().map(|one| size_of_val(one) + text(&one.znode) + text(&one.reason));
        self.instances.iter().map(instance).sum::<usize>() + rejected.sum::<usize>()
    }
}

impl Kept for ServiceList {
    fn trimmed(mut self) -> ServiceList {
        self.services.shrink_to_fit();
        self
    }

    fn bytes(&self) -> usize {
        let one = |one: &ServiceEntry| size_of_val(one) + text(&one.name) + text(&one.path);
        self.services.iter().map(one).sum()
    }
}

impl Kept for ConfigTree {
    fn trimmed(self) -> ConfigTree {
        self
    }

    fn bytes(&self) -> usize {
        let values = self.values.iter().map(|(key, value)| text(key) + text(value)).sum::<usize>();
        let left_out = self.left_out.iter().map(|one| size_of_val(one) + text(&one.key) + text(&one.reason));
        nodes(&self.values) + values + left_out.sum::<usize>()
    }
}

impl Kept for LeaderView {
    fn trimmed(mut self) -> LeaderView {
        // Who else stands makes no Service.
        self.candidates = Vec::new();
        self
    }

    fn bytes(&self) -> usize {
        let leader = self.leader.iter().map(|one| text(&one.znode) + one.id.as_deref().map_or(0, text));
        size_of::<LeaderView>() + leader.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use coordd_api::discovery::InstanceState;

    use super::*;

    #[test]
    fn of_what_an_instance_says_of_itself_only_who_registered_it_is_kept() {
        let metadata = [("load", "7".to_owned()), (REGISTERED_BY, "us".to_owned()), ("note", "x".repeat(100_000))];
        let one = Instance {
            id: "i".to_owned(),
            address: "10.0.0.1".to_owned(),
            ports: [("http".to_owned(), 80)].into(),
            state: InstanceState::Up,
            zone: Some("a".to_owned()),
            weight: Some(1.0),
            metadata: metadata.map(|(key, value)| (key.to_owned(), value)).into(),
            znode: "/s/i".to_owned(),
            since: 1,
        };
        let view = ServiceView {
            path: "/s".to_owned(),
            format: None,
            zxid: 1,
            instances: vec![one.clone(), one],
            rejected: Vec::new(),
        };
        assert!(view.bytes() > 200_000);
        let view = view.trimmed();
        assert_eq!(view.instances[0].metadata.keys().collect::<Vec<_>>(), [REGISTERED_BY]);
        assert!((1_000..4_000).contains(&view.bytes()), "{}", view.bytes());
    }
}
