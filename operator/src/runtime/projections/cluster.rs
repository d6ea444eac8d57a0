//! The cluster that a projection reads, and whether it may.
//!
//! Rule: a cluster of another namespace is read only where its own spec says so, and credentials come from the
//! projection's own namespace. Reason: whoever may write projections in one namespace must not see what is registered
//! in another by doing so. Only an address that a pod of this very cluster has now is asked, and only for the ensemble
//! that the cluster's status names: addresses are used again, and who answers at an old one is somebody else.

use k8s_openapi::api::core::v1::Secret;
use kube::Api;

use crate::crd::{CoordinationCluster, ServiceProjection};
use crate::names::{ClusterName, HTTP_PORT};
use crate::runtime::failure::Failure;
use crate::runtime::see::SeenPod;
use crate::runtime::shelf::Shelf;
use crate::runtime::{Context, read};

/// Why a projection cannot read: a word, and words.
pub(super) struct Closed(pub &'static str, pub String);

/// What is needed to ask the cluster.
pub(super) struct Open {
    pub name: ClusterName,
    pub uid: String,
    /// Id of its ensemble, once that is founded.
    pub ensemble: Option<String>,
    /// Where its members are, as far as they are anywhere.
    pub addresses: Vec<String>,
    pub credentials: Option<(String, String)>,
}

fn closed<T>(reason: &'static str, why: String) -> Result<Result<T, Closed>, Failure> {
    Ok(Err(Closed(reason, why)))
}

pub(super) async fn open(context: &Context, projection: &ServiceProjection) -> Result<Result<Open, Closed>, Failure> {
    let own = projection.metadata.namespace.clone().unwrap_or_default();
    let reference = &projection.spec.cluster_ref;
    let namespace = reference.namespace.clone().unwrap_or_else(|| own.clone());
    let name = ClusterName::new(namespace.clone(), reference.name.clone());
    let api: Api<CoordinationCluster> = Api::namespaced(context.client.clone(), &namespace);
    let found = match read("cluster", api.get_opt(&reference.name)).await {
        Err(failure) if failure.refused().is_some() => None,
        found => found?,
    };
    // Whether it is there and may not be read is nobody's business in another namespace.
    let elsewhere = namespace != own;
    let allowed = found.filter(|cluster| !elsewhere || allows(cluster, &own));
    let Some(cluster) = allowed else {
        return if elsewhere {
            let hint = format!("spec.projections.allowedNamespaces of it must name {own}");
            closed("ClusterNotAllowed", format!("there is no cluster {name} that may be read from here: {hint}"))
        } else {
            closed("ClusterNotFound", format!("there is no cluster {name}"))
        };
    };
    let credentials = match credentials(context, projection, &own).await? {
        Ok(credentials) => credentials,
        Err(closed) => return Ok(Err(closed)),
    };
    let uid = cluster.metadata.uid.unwrap_or_default();
    let ensemble = cluster.status.and_then(|status| status.ensemble_id);
    let addresses = match &ensemble {
        Some(_) => members(&context.shelves.pods, &name, &uid),
        None => Vec::new(),
    };
    Ok(Ok(Open { name, uid, ensemble, addresses, credentials }))
}

/// Where the pods of this cluster are that have not ended: not of a former one of its name, nor of somebody who has
/// only taken its labels.
pub(super) fn members(pods: &Shelf<SeenPod>, name: &ClusterName, uid: &str) -> Vec<String> {
    let members = pods.select(|_, pod| pod.cluster == *name && pod.cluster_uid == uid && !uid.is_empty());
    let mut addresses: Vec<_> = members.iter().filter_map(|(_, pod)| pod.pod.ip.as_deref()).map(address).collect();
    addresses.sort();
    addresses
}

fn allows(cluster: &CoordinationCluster, namespace: &str) -> bool {
    cluster.spec.projections.allowed_namespaces.iter().any(|allowed| allowed == "*" || allowed == namespace)
}

fn address(ip: &str) -> String {
    if ip.contains(':') { format!("[{ip}]:{HTTP_PORT}") } else { format!("{ip}:{HTTP_PORT}") }
}

type Credentials = Option<(String, String)>;

async fn credentials(
    context: &Context,
    projection: &ServiceProjection,
    namespace: &str,
) -> Result<Result<Credentials, Closed>, Failure> {
    let Some(reference) = &projection.spec.auth_secret_ref else { return Ok(Ok(None)) };
    let api: Api<Secret> = Api::namespaced(context.client.clone(), namespace);
    let found = match read("Secret", api.get_opt(&reference.name)).await {
        Err(failure) if let Some(hold) = failure.refused() => return closed("SecretForbidden", hold.message),
        found => found?,
    };
    let Some(secret) = found else {
        return closed("SecretNotFound", format!("there is no Secret {}", reference.name));
    };
    let value = |key: &str| {
        let bytes = secret.data.as_ref()?.get(key)?.0.clone();
        String::from_utf8(bytes).ok().map(|text| text.trim_end_matches('\n').to_owned())
    };
    match (value("username"), value("password")) {
        (Some(user), Some(password)) if !user.is_empty() && !user.contains(':') => Ok(Ok(Some((user, password)))),
        _ => closed(
            "SecretIncomplete",
            format!("the Secret {} must have the keys username (without a colon) and password", reference.name),
        ),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    use super::*;
    use crate::runtime::see;
    use crate::runtime::shelf::Key;

    #[test]
    fn a_cluster_says_which_namespaces_may_read_it() {
        let cluster = |allowed: serde_json::Value| -> CoordinationCluster {
            let spec = json!({"projections": {"allowedNamespaces": allowed}});
            let (api, kind) = ("coordd.dev/v1alpha1", "CoordinationCluster");
            serde_json::from_value(json!({"apiVersion": api, "kind": kind, "metadata": {}, "spec": spec})).unwrap()
        };
        assert!(!allows(&cluster(json!([])), "web"));
        assert!(allows(&cluster(json!(["shop", "web"])), "web"));
        assert!(allows(&cluster(json!(["*"])), "web"));
        assert!(!allows(&cluster(json!(["website"])), "web"));
        assert_eq!(
            (address("10.0.0.1"), address("fd00::1")),
            ("10.0.0.1:8080".to_owned(), "[fd00::1]:8080".to_owned())
        );
    }

    #[test]
    fn only_the_pods_of_this_very_cluster_are_asked() {
        let pod = |name: &str, cluster: &str, uid: &str, ip: &str, phase: &str| {
            let labels = json!({"app.kubernetes.io/instance": cluster, "coordd.dev/cluster-uid": uid});
            let metadata = json!({"namespace": "shop", "name": name, "uid": name, "labels": labels});
            let status = json!({"phase": phase, "podIP": ip});
            serde_json::from_value::<Pod>(json!({"metadata": metadata, "status": status})).unwrap()
        };
        let shelf = Shelf::new(&[None]);
        for object in [
            pod("zk-0", "zk", "now", "10.0.0.1", "Running"),
            pod("zk-1", "zk", "now", "10.0.0.2", "Failed"),
            pod("zk-2", "zk", "before", "10.0.0.3", "Running"),
            pod("other-0", "other", "now", "10.0.0.4", "Running"),
        ] {
            let key = Key::new("shop", object.metadata.name.clone().unwrap());
            shelf.put(&key, see::pod(&object));
        }
        let name = ClusterName::new("shop", "zk");
        assert_eq!(members(&shelf, &name, "now"), ["10.0.0.1:8080"]);
        assert_eq!(members(&shelf, &name, ""), [""; 0]);
    }
}
