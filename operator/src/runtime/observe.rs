//! One look at a cluster: from the shelves, the Secret and the members to a `World`.
//!
//! ```text
//!   shelves (pods, claims, StatefulSet, children, nodes, volumes) ─┐
//!   live: the Secret; names that no shelf shows ───────────────────┼─► Look { world, what applying needs }
//!   every member, all at once, 2 s at most ────────────────────────┘
//! ```
//!
//! Rule: a list that is not complete fails the look; nodes, volumes and members that cannot be seen are `Unknown`.
//! Reason: without the former nothing is certain; without the latter much can still be done.

use super::Context;
use super::ask;
use super::children::{self, Children, Owner};
use super::failure::Failure;
use super::secret::{self, Secrets};
use super::see::SeenClaim;
use super::shelf::Key;
use crate::crd::CoordinationCluster;
use crate::names::ClusterName;
use crate::world::{Claim, Node, Orders, Pod, Seen, World};

/// What was seen, and what is needed to write on it.
pub(crate) struct Look {
    pub world: World,
    pub children: Children,
    pub secrets: Secrets,
    /// The claims that are this cluster's own.
    pub claims: Vec<SeenClaim>,
}

/// Looks.
pub(crate) async fn observe(context: &Context, cluster: &CoordinationCluster) -> Result<Look, Failure> {
    let meta = &cluster.metadata;
    if let Some(why) = context.shelves.missing_in(meta.namespace.as_deref().unwrap_or_default()) {
        return Err(Failure::NotSeen { what: "the objects of Kubernetes", why });
    }
    let name = ClusterName::new(meta.namespace.clone().unwrap_or_default(), super::name_of(cluster));
    let uid = meta.uid.clone().unwrap_or_default();
    let owner = Owner { name: &name, uid: &uid };
    let mut children = children::look(context, &owner).await?;
    let secrets = secret::look(context, &owner, &mut children).await?;
    let status = cluster.status.clone().unwrap_or_default();
    let adopted = status.bootstrap.as_ref().and_then(|record| record.adopted_from.as_deref());
    let (seen_claims, claims) = claims(context, &owner, adopted);
    let mut pods = pods(context, &owner);
    ask::ask(&mut pods, secrets.token.as_deref()).await;
    let world = World {
        deleting: meta.deletion_timestamp.is_some(),
        orders: Orders::read(meta.annotations.as_ref().unwrap_or(&std::collections::BTreeMap::new())),
        bootstrap: status.bootstrap,
        recovery: status.recovery,
        feature_level: status.feature_level.and_then(|level| u32::try_from(level).ok()),
        stateful_set: children.set.as_ref().map_or(Seen::Gone, |set| Seen::There(set.set.clone())),
        pods,
        claims,
        nodes: nodes(context),
        secret: secrets.state.clone(),
        foreign: children.foreign.clone(),
        name,
        uid,
    };
    Ok(Look { world, children, secrets, claims: seen_claims })
}

fn pods(context: &Context, owner: &Owner<'_>) -> Vec<Pod> {
    let mine = context.shelves.pods.select(|_, seen| seen.cluster == *owner.name && seen.cluster_uid == owner.uid);
    let mut pods: Vec<_> = mine.into_iter().map(|(_, seen)| seen.pod.clone()).collect();
    pods.sort_by_key(|pod| pod.ordinal);
    pods
}

fn nodes(context: &Context) -> Seen<Vec<Node>> {
    if let Some(why) = context.shelves.nodes.missing() {
        return Seen::Unknown(why);
    }
    Seen::There(context.shelves.nodes.select(|_, _| true).into_iter().map(|(_, node)| Node::clone(&node)).collect())
}

/// All claims under the names of members, and those of them that are this cluster's own.
fn claims(context: &Context, owner: &Owner<'_>, adopted: Option<&str>) -> (Vec<SeenClaim>, Vec<Claim>) {
    let ordinal = |key: &Key| owner.name.ordinal_of_claim(&key.name).filter(|_| key.namespace == owner.name.namespace);
    let named = context.shelves.claims.select(|key, _| ordinal(key).is_some());
    let mut own = Vec::new();
    let mut all = Vec::new();
    for (key, seen) in named {
        let Some(ordinal) = ordinal(&key) else { continue };
        let made_for = seen.made_for.as_deref();
        let ours = made_for.is_some() && (made_for == Some(owner.uid) || made_for == adopted);
        all.push(seen.claim(ordinal, owner.uid, ours, only_on(context, &seen)));
        if ours {
            own.push(SeenClaim::clone(&seen));
        }
    }
    all.sort_by_key(|claim| claim.ordinal);
    (own, all)
}

fn only_on(context: &Context, claim: &SeenClaim) -> Seen<Vec<String>> {
    let Some(volume) = &claim.volume else { return Seen::There(Vec::new()) };
    match context.shelves.volumes.get(&Key::new("", volume)) {
        Some(volume) => Seen::There(volume.only_on.clone()),
        None => {
            let why = context.shelves.volumes.missing();
            Seen::Unknown(why.unwrap_or_else(|| format!("the volume {volume} is not there")))
        }
    }
}
