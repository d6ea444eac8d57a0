//! Nodes: well or not, and since when.

use k8s_openapi::api::core::v1;

use super::{label, moment};
use crate::world::{Moment, Node, NodeState};

const ZONE: &str = "topology.kubernetes.io/zone";

pub(crate) fn node(node: &v1::Node) -> Option<Node> {
    let meta = &node.metadata;
    let conditions = node.status.iter().filter_map(|status| status.conditions.as_ref()).flatten();
    let ready = conditions.into_iter().find(|condition| condition.type_ == "Ready");
    let created = meta.creation_timestamp.as_ref().map_or(Moment(0), moment);
    let state = match ready {
        Some(ready) if ready.status == "True" => NodeState::Ready,
        // False, or Unknown when nothing was heard of it.
        Some(ready) => NodeState::NotReady { since: ready.last_transition_time.as_ref().map_or(created, moment) },
        None => NodeState::NotReady { since: created },
    };
    let addresses = node.status.iter().filter_map(|status| status.addresses.as_ref()).flatten();
    Some(Node {
        name: meta.name.clone()?,
        zone: label(meta, ZONE).map(str::to_owned),
        // Some are names.
        addresses: addresses.filter_map(|one| one.address.parse().ok()).collect(),
        state,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn state(status: &str) -> NodeState {
        let object = json!({
            "metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "z1"}},
            "status": {"addresses": [
                {"type": "InternalIP", "address": "10.1.0.1"}, {"type": "Hostname", "address": "n1"}
            ], "conditions": [
                {"type": "MemoryPressure", "status": "False"},
                {"type": "Ready", "status": status, "lastTransitionTime": "1970-01-01T00:00:07Z"}
            ]}
        });
        let seen = node(&serde_json::from_value(object).unwrap()).unwrap();
        assert_eq!(seen.zone.as_deref(), Some("z1"));
        assert_eq!(seen.addresses, ["10.1.0.1".parse::<std::net::IpAddr>().unwrap()]);
        seen.state
    }

    #[test]
    fn a_node_that_is_not_heard_of_is_not_ready_since_then() {
        assert_eq!(state("True"), NodeState::Ready);
        assert_eq!(state("Unknown"), NodeState::NotReady { since: Moment(7000) });
        assert_eq!(state("False"), NodeState::NotReady { since: Moment(7000) });
    }
}
