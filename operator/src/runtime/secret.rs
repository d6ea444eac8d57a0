//! The Secret with the admin token and the peer secret: made once, and never changed.
//!
//! Rule: a key that is there stays as it is, whoever wrote it; a key that is missing is added. Reason: every member
//! that runs was started with it, and one that does not know it is cut off from the others.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Resource};
use serde_json::json;

use super::Context;
use super::children::{Children, Owner};
use super::failure::Failure;
use super::see;
use crate::crd::CoordinationCluster;
use crate::names::{ClusterName, file, label, manager};
use crate::world::{SecretState, Seen};

const KEYS: [&str; 2] = [file::ADMIN_TOKEN, file::PEER_SECRET];
const RANDOM_BYTES: usize = 32;

/// What stands in it, as far as it is used.
pub(crate) struct Secrets {
    pub state: Seen<SecretState>,
    pub token: Option<String>,
    missing: Vec<&'static str>,
    resource_version: Option<String>,
}

/// Looks at it; live, so that no right to list secrets is needed.
pub(crate) async fn look(context: &Context, owner: &Owner<'_>, children: &mut Children) -> Result<Secrets, Failure> {
    let name = owner.name.secret();
    let absent = Secrets { state: Seen::Gone, token: None, missing: KEYS.to_vec(), resource_version: None };
    let Some(secret) = super::read("Secret", api(context, owner.name).get_opt(&name)).await? else {
        return Ok(absent);
    };
    let ours = match see::child(&secret.metadata) {
        Some(child) => children.take("Secret", &name, owner, &child)?,
        None => false,
    };
    if !ours {
        return Ok(Secrets { state: Seen::Unknown("somebody else made it".to_owned()), missing: Vec::new(), ..absent });
    }
    let value = |key: &str| secret.data.as_ref()?.get(key).filter(|value| !value.0.is_empty());
    let missing: Vec<_> = KEYS.into_iter().filter(|key| value(key).is_none()).collect();
    let token = value(file::ADMIN_TOKEN).and_then(|token| String::from_utf8(token.0.clone()).ok());
    Ok(Secrets {
        state: Seen::There(SecretState { complete: missing.is_empty() }),
        token: token.map(|token| token.trim().to_owned()),
        missing,
        resource_version: secret.metadata.resource_version,
    })
}

/// Makes it, or adds what is missing in it.
pub(crate) async fn make(context: &Context, cluster: &CoordinationCluster, secrets: &Secrets) -> Result<(), Failure> {
    if secrets.missing.is_empty() {
        return Ok(());
    }
    let name = ClusterName::new(cluster.metadata.namespace.clone().unwrap_or_default(), super::name_of(cluster));
    let api = api(context, &name);
    let mut data = BTreeMap::new();
    for key in &secrets.missing {
        data.insert((*key).to_owned(), ByteString(random()?.into_bytes()));
    }
    match &secrets.resource_version {
        None => {
            let params = PostParams { field_manager: Some(manager::CHILDREN.to_owned()), ..PostParams::default() };
            let secret = new(cluster, &name, data);
            context.gate.write("secret", api.create(&params, &secret)).await?;
        }
        Some(version) => {
            let patch = json!({"metadata": {"resourceVersion": version}, "data": data});
            let params = PatchParams { field_manager: Some(manager::CHILDREN.to_owned()), ..PatchParams::default() };
            context.gate.write("secret", api.patch(&name.secret(), &params, &Patch::Merge(patch))).await?;
        }
    }
    tracing::info!(keys = ?secrets.missing, "random secrets were made");
    Ok(())
}

fn new(cluster: &CoordinationCluster, name: &ClusterName, data: BTreeMap<String, ByteString>) -> Secret {
    let labels = name.selector().map(|(key, value)| (key.to_owned(), value)).into_iter();
    let ours = (label::MANAGED_BY.to_owned(), label::MANAGED_BY_VALUE.to_owned());
    let metadata = ObjectMeta {
        name: Some(name.secret()),
        labels: Some(labels.chain([ours]).collect()),
        owner_references: cluster.controller_owner_ref(&()).map(|owner| vec![owner]),
        ..ObjectMeta::default()
    };
    Secret { metadata, data: Some(data), ..Secret::default() }
}

fn api(context: &Context, cluster: &ClusterName) -> Api<Secret> {
    Api::namespaced(context.client.clone(), &cluster.namespace)
}

fn random() -> Result<String, Failure> {
    let mut bytes = [0; RANDOM_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| Failure::Random(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_and_never_the_same() {
        let (one, other) = (random().unwrap(), random().unwrap());
        assert_eq!(one.len(), 2 * RANDOM_BYTES);
        assert!(one.bytes().all(|c| c.is_ascii_hexdigit()));
        assert_ne!(one, other);
    }
}
