//! Every name that the operator gives: objects, labels, annotations, ports, files in the pod.
//!
//! ```text
//!   cluster orders ─► StatefulSet orders ─► pods orders-0 … orders-6 ─► claims data-orders-0 …
//!                     Services orders (clients), orders-peers (headless); Secret orders-secrets;
//!                     ConfigMap orders-connection; PodDisruptionBudget and NetworkPolicy orders
//! ```
//!
//! Rule: a name is derived here and nowhere else, and a member's name is its pod's. Reason: two places that derive one
//! name drift apart, and a name that is taken by somebody else has to be told before anything is written.

pub const GROUP: &str = "coordd.dev";
pub const CLIENT_PORT: u16 = 2181;
pub const PEER_PORT: u16 = 2888;
pub const HTTP_PORT: u16 = 8080;
pub const ADMIN_PORT: u16 = 9080;

/// Names of the ports of pods and Services.
pub mod port {
    pub const CLIENT: &str = "client";
    pub const PEER: &str = "peer";
    pub const HTTP: &str = "http";
    pub const ADMIN: &str = "admin";
}

/// Labels of what the operator makes. `NAME` and `INSTANCE` with `CLUSTER_UID` select; the others tell.
pub mod label {
    pub const NAME: &str = "app.kubernetes.io/name";
    pub const INSTANCE: &str = "app.kubernetes.io/instance";
    pub const COMPONENT: &str = "app.kubernetes.io/component";
    pub const PART_OF: &str = "app.kubernetes.io/part-of";
    pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
    /// Uid of the cluster that a pod or a claim was made for.
    pub const CLUSTER_UID: &str = "coordd.dev/cluster-uid";
    /// Set by Kubernetes on pods: the revision of the StatefulSet's template that they were made from.
    pub const REVISION: &str = "controller-revision-hash";
    /// Set by Kubernetes on every namespace: its name.
    pub const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

    pub const NAME_VALUE: &str = "coordd";
    pub const COMPONENT_VALUE: &str = "member";
    pub const MANAGED_BY_VALUE: &str = "coordd-operator";
    /// `NAME` of the operator's own pods; the members' admin port is open to them.
    pub const OPERATOR_VALUE: &str = "coordd-operator";
}

/// Annotations: orders of the user on a cluster, and marks of the operator on what it makes.
pub mod annotation {
    /// `survivor=POD ensemble=ID confirm=data-loss`: give the lost quorum up and go on with one member.
    pub const RECOVER_QUORUM: &str = "coordd.dev/recover-quorum";
    /// `ID`: the volumes that were kept from a deleted cluster of this name hold this ensemble; go on with it.
    pub const ADOPT_ENSEMBLE: &str = "coordd.dev/adopt-ensemble";
    /// `ID`: give the member of this node id a new volume, as if its own were lost.
    pub const REPLACE_MEMBER: &str = "coordd.dev/replace-member";
    /// On a claim: the ensemble whose member was last seen on its volume.
    pub const ENSEMBLE_ID: &str = "coordd.dev/ensemble-id";
    /// In the pod template: the value of `spec.restartAt`.
    pub const RESTARTED_AT: &str = "coordd.dev/restarted-at";
}

/// Field managers of server-side apply, one for each concern.
pub mod manager {
    pub const CHILDREN: &str = "coordd-operator/children";
    pub const CLAIMS: &str = "coordd-operator/claims";
    pub const STATUS: &str = "coordd-operator/status";
    pub const PROJECTIONS: &str = "coordd-operator/projections";
}

/// Paths in a member's pod, and the keys of the Secret that is mounted there.
pub mod file {
    pub const CONTAINER: &str = "coordd";
    pub const DATA_VOLUME: &str = "data";
    pub const DATA_MOUNT: &str = "/data";
    /// Below the mount: a fresh file system holds a lost+found of its own, and coordd wants its directory for itself.
    pub const DATA_DIR: &str = "/data/coordd";
    pub const SECRETS_VOLUME: &str = "secrets";
    pub const SECRETS_DIR: &str = "/etc/coordd/secrets";
    pub const ADMIN_TOKEN: &str = "admin-token";
    pub const PEER_SECRET: &str = "peer-secret";
}

/// Keys of the ConfigMap that clients are told by.
pub mod connection {
    pub const CLIENT: &str = "connection-string";
    pub const HTTP: &str = "http-url";
    pub const NAMESPACE: &str = "namespace";
}

/// A cluster by namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterName {
    pub namespace: String,
    pub name: String,
}

impl ClusterName {
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> ClusterName {
        ClusterName { namespace: namespace.into(), name: name.into() }
    }

    pub fn stateful_set(&self) -> String {
        self.name.clone()
    }

    pub fn client_service(&self) -> String {
        self.name.clone()
    }

    pub fn peer_service(&self) -> String {
        format!("{}-peers", self.name)
    }

    pub fn secret(&self) -> String {
        format!("{}-secrets", self.name)
    }

    pub fn connection_map(&self) -> String {
        format!("{}-connection", self.name)
    }

    pub fn disruption_budget(&self) -> String {
        self.name.clone()
    }

    pub fn network_policy(&self) -> String {
        self.name.clone()
    }

    /// Name of the pod, and so of the member, with `ordinal`.
    pub fn pod(&self, ordinal: i32) -> String {
        format!("{}-{ordinal}", self.name)
    }

    pub fn claim(&self, ordinal: i32) -> String {
        format!("{}-{}", file::DATA_VOLUME, self.pod(ordinal))
    }

    /// The ordinal of a pod or a member of this cluster; `None` for a name of somebody else.
    pub fn ordinal_of(&self, pod: &str) -> Option<i32> {
        let digits = pod.strip_prefix(&self.name)?.strip_prefix('-')?;
        let ordinal: i32 = digits.parse().ok().filter(|ordinal| *ordinal >= 0)?;
        (self.pod(ordinal) == pod).then_some(ordinal)
    }

    /// The ordinal whose claim this is.
    pub fn ordinal_of_claim(&self, claim: &str) -> Option<i32> {
        self.ordinal_of(claim.strip_prefix(file::DATA_VOLUME)?.strip_prefix('-')?)
    }

    /// The host name under which a pod is known to the others; resolved in the cluster's own domain.
    pub fn host(&self, pod: &str) -> String {
        format!("{pod}.{}.{}.svc", self.peer_service(), self.namespace)
    }

    pub fn peer_addr(&self, pod: &str) -> String {
        format!("{}:{PEER_PORT}", self.host(pod))
    }

    /// Selects the pods of this cluster; also the text of the scale subresource's selector.
    pub fn selector(&self) -> [(&'static str, String); 2] {
        [(label::NAME, label::NAME_VALUE.to_owned()), (label::INSTANCE, self.name.clone())]
    }

    pub fn selector_text(&self) -> String {
        self.selector().map(|(key, value)| format!("{key}={value}")).join(",")
    }
}

impl std::fmt::Display for ClusterName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_belongs_to_the_cluster_it_is_named_after_and_no_other() {
        let orders = ClusterName::new("shop", "orders");
        assert_eq!(orders.ordinal_of("orders-2"), Some(2));
        for foreign in ["orders", "orders-", "orders-02", "orders-x", "orders--1", "orders-2-3", "other-2"] {
            assert_eq!(orders.ordinal_of(foreign), None, "{foreign}");
        }
        assert_eq!(orders.ordinal_of_claim("data-orders-4"), Some(4));
        assert_eq!(orders.ordinal_of_claim("data-orders-x-4"), None);
    }

    #[test]
    fn members_are_advertised_by_name() {
        assert_eq!(ClusterName::new("shop", "orders").peer_addr("orders-0"), "orders-0.orders-peers.shop.svc:2888");
    }
}
