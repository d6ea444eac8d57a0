//! Carries out the one step.
//!
//! ```text
//!   step ─► is the cluster still what was planned on? ─► one call ─► Done | Again (what it was planned on has moved)
//!                                                                └─► Refused (a member says no, or nothing)
//! ```
//!
//! Rule: one call, with its fence, and no judgement. Reason: whatever goes wrong, looking again tells more than
//! whatever could be thought of here.

use std::time::Duration;

use coordd_api::{AddMember, Bootstrap, ClientError, Promote, Recover, RefusalCode, Seat, TransferLeader};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::Context;
use super::ask;
use super::failure::Failure;
use super::observe::Look;
use crate::crd::CoordinationCluster;
use crate::names::manager;
use crate::step::{Doomed, Grace, Step, Target};

/// A member takes in another, or hands leadership over, in well under this.
const ORDER_MAX: Duration = Duration::from_secs(10);

/// After a founding or a transfer the members hear of their leader within this; an earlier look shows that there is
/// none.
const ELECTED: Duration = Duration::from_millis(250);
/// A survivor starts its process anew first.
const RECOVERED: Duration = Duration::from_millis(1000);

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// What the step was planned on has moved.
    Again(String),
    /// A member does not do it, and why.
    Refused(String),
    /// Kubernetes does not do it, and why.
    Forbidden(String),
}

/// Carries out `step`, which is no record: those are written with the status.
pub(crate) async fn act(
    context: &Context,
    cluster: &CoordinationCluster,
    look: &Look,
    step: &Step,
) -> Result<Outcome, Failure> {
    if !is_as_planned_on(context, cluster, look).await? {
        return Ok(Outcome::Again("the cluster was changed meanwhile".to_owned()));
    }
    let act = Act { context, look, name: step.name() };
    let done = match step {
        Step::Record(_) => Ok(Outcome::Done),
        Step::SetReplicas { to, uid, resource_version, .. } => act.set_replicas(*to, uid, resource_version).await,
        Step::DeletePod { pod, grace, .. } => act.delete_pod(pod, *grace).await,
        Step::DeleteClaim { claim, .. } => act.delete_claim(claim).await,
        _ => act.order(step).await,
    };
    match done {
        Err(failure) if failure.is_late() => Ok(Outcome::Again(failure.to_string())),
        Err(failure) => match failure.refused() {
            Some(hold) => Ok(Outcome::Forbidden(hold.message)),
            None => Err(failure),
        },
        done => done,
    }
}

/// Spec, orders and records live: the cache may be late, and what the user has just forbidden is not done.
async fn is_as_planned_on(context: &Context, cluster: &CoordinationCluster, look: &Look) -> Result<bool, Failure> {
    let api: Api<CoordinationCluster> = Api::namespaced(context.client.clone(), &look.world.name.namespace);
    let present = super::read("CoordinationCluster", api.get_metadata_opt(&look.world.name.name)).await?;
    Ok(present.is_some_and(|present| present.metadata.resource_version == cluster.metadata.resource_version))
}

struct Act<'a> {
    context: &'a Context,
    look: &'a Look,
    name: &'static str,
}

impl Act<'_> {
    fn namespace(&self) -> &str {
        &self.look.world.name.namespace
    }

    async fn set_replicas(&self, to: i32, uid: &str, resource_version: &str) -> Result<Outcome, Failure> {
        let api: Api<StatefulSet> = Api::namespaced(self.context.client.clone(), self.namespace());
        let fence = json!({"uid": uid, "resourceVersion": resource_version});
        let patch = Patch::Merge(json!({"metadata": fence, "spec": {"replicas": to}}));
        let params = PatchParams { field_manager: Some(manager::CHILDREN.to_owned()), ..PatchParams::default() };
        let set = self.look.world.name.stateful_set();
        self.context.gate.write(self.name, api.patch(&set, &params, &patch)).await?;
        Ok(Outcome::Done)
    }

    async fn delete_pod(&self, pod: &Doomed, grace: Grace) -> Result<Outcome, Failure> {
        let api: Api<Pod> = Api::namespaced(self.context.client.clone(), self.namespace());
        let grace_period_seconds = match grace {
            Grace::Full => None,
            Grace::None => Some(0),
        };
        let params = DeleteParams { grace_period_seconds, ..only(pod) };
        self.context.gate.write(self.name, api.delete(&pod.name, &params)).await?;
        Ok(Outcome::Done)
    }

    async fn delete_claim(&self, claim: &Doomed) -> Result<Outcome, Failure> {
        let api: Api<PersistentVolumeClaim> = Api::namespaced(self.context.client.clone(), self.namespace());
        self.context.gate.write(self.name, api.delete(&claim.name, &only(claim))).await?;
        Ok(Outcome::Done)
    }

    async fn order(&self, step: &Step) -> Result<Outcome, Failure> {
        let call = async {
            match timeout(ORDER_MAX, self.ask(step)).await {
                Ok(answered) => answered,
                Err(_) => {
                    let why = format!("no answer within {} s", ORDER_MAX.as_secs());
                    Err(ClientError::Failed { address: String::new(), why })
                }
            }
        };
        Ok(match self.context.gate.order(self.name, call).await? {
            Ok(()) => {
                sleep(settles(step)).await;
                Outcome::Done
            }
            Err(ClientError::Refused(refusal))
                if matches!(refusal.code, RefusalCode::Moved | RefusalCode::NotLeader) =>
            {
                Outcome::Again(refusal.to_string())
            }
            Err(ClientError::Refused(refusal)) => Outcome::Refused(refusal.to_string()),
            Err(ClientError::Failed { why, .. }) => Outcome::Refused(why),
        })
    }

    async fn ask(&self, step: &Step) -> Result<(), ClientError> {
        match step {
            Step::Bootstrap { founder, seats } => {
                let seat =
                    |seat: &crate::step::Seat| Seat { name: seat.name.clone(), peer_addr: seat.peer_addr.clone() };
                let order = Bootstrap { members: seats.iter().map(seat).collect() };
                self.member(founder).bootstrap(&order).await.map(drop)
            }
            Step::AddLearner { leader, peer_addr, membership_index, .. } => {
                let order = AddMember { peer_addr: peer_addr.clone(), membership_index: *membership_index };
                self.member(leader).add(&order).await.map(drop)
            }
            Step::Promote { leader, id, membership_index, .. } => {
                let order = Promote { membership_index: *membership_index };
                self.member(leader).promote(*id, &order).await.map(drop)
            }
            Step::Remove { leader, id, membership_index, .. } => {
                self.member(leader).remove(*id, *membership_index).await.map(drop)
            }
            Step::TransferLeader { leader, to, .. } => {
                self.member(leader).transfer_leader(&TransferLeader { to: Some(*to) }).await.map(drop)
            }
            Step::Recover { survivor, ensemble_id } => {
                let order = Recover { survivor: survivor.pod.clone(), ensemble_id: ensemble_id.clone() };
                self.member(survivor).recover(&order).await.map(drop)
            }
            Step::Record(_) | Step::SetReplicas { .. } | Step::DeletePod { .. } | Step::DeleteClaim { .. } => Ok(()),
        }
    }

    fn member(&self, target: &Target) -> coordd_api::Client {
        ask::member(&target.ip, self.look.secrets.token.as_deref().unwrap_or_default())
    }
}

/// How long after an order the members show what came of it. A change of membership is answered once it is shown.
fn settles(step: &Step) -> Duration {
    match step {
        Step::Bootstrap { .. } | Step::TransferLeader { .. } => ELECTED,
        Step::Recover { .. } => RECOVERED,
        _ => Duration::ZERO,
    }
}

fn only(doomed: &Doomed) -> DeleteParams {
    let it = Preconditions { uid: Some(doomed.uid.clone()), resource_version: Some(doomed.resource_version.clone()) };
    DeleteParams { preconditions: Some(it), ..DeleteParams::default() }
}
