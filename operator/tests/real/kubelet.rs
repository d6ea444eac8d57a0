//! Plays the nodes of one namespace: a pod that is there runs, with a fake member in it; a claim that is there is
//! bound.
//!
//! Rule: every pod has an address of its own below 127.0.0.0/8. Reason: the operator asks port 9080 of whatever address
//! a pod has, and so it does here.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use coordd_api::{
    AddMember, Added, Bootstrap, Bootstrapped, Changed, Planned, Promote, Recover, Recovered, Refusal, RefusalCode,
    TransferLeader, Transferred,
};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret};
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use operator::names::ADMIN_PORT;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::ensemble::Ensemble;

/// Pods whose image ends so never start.
pub(crate) const NO_SUCH_IMAGE: &str = ":missing";

static ADDRESSES: AtomicU32 = AtomicU32::new(0);

/// The ensembles of one namespace, by cluster.
pub(crate) type Ensembles = Arc<Mutex<BTreeMap<String, Arc<Ensemble>>>>;

struct Running {
    name: String,
    ensemble: Arc<Ensemble>,
    server: JoinHandle<()>,
    ip: String,
    told: Option<bool>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Plays until it is dropped.
pub(crate) struct Kubelet(JoinHandle<()>);

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Kubelet {
    pub(crate) fn start(client: Client, namespace: &str, ensembles: Ensembles) -> Kubelet {
        let node = Node {
            pods: Api::namespaced(client.clone(), namespace),
            claims: Api::namespaced(client.clone(), namespace),
            secrets: Api::namespaced(client, namespace),
            ensembles,
        };
        Kubelet(tokio::spawn(async move {
            let mut running = HashMap::new();
            loop {
                if let Err(error) = node.turn(&mut running).await {
                    eprintln!("kubelet: {error}");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }))
    }
}

struct Node {
    pods: Api<Pod>,
    claims: Api<PersistentVolumeClaim>,
    secrets: Api<Secret>,
    ensembles: Ensembles,
}

impl Node {
    async fn turn(&self, running: &mut HashMap<String, Running>) -> Result<(), kube::Error> {
        let mut claims = HashMap::new();
        for claim in self.claims.list(&ListParams::default()).await? {
            if claim.status.as_ref().and_then(|status| status.phase.as_deref()) != Some("Bound") {
                let bound = Patch::Merge(json!({"status": {"phase": "Bound"}}));
                ignore_late(self.claims.patch_status(&claim.name_any(), &PatchParams::default(), &bound).await)?;
            }
            // A pod whose claim is going finds no node.
            if claim.metadata.deletion_timestamp.is_none() {
                claims.insert(claim.name_any(), claim.uid().unwrap_or_default());
            }
        }
        let pods = self.pods.list(&ListParams::default()).await?;
        let there: Vec<String> = pods.iter().filter_map(ResourceExt::uid).collect();
        running.retain(|uid, member| {
            let stays = there.contains(uid);
            if !stays {
                member.ensemble.stop(&member.name);
            }
            stays
        });
        for pod in pods.items.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
            let uid = pod.uid().unwrap_or_default();
            if !running.contains_key(&uid)
                && let Some(claim) = claims.get(&format!("data-{}", pod.name_any()))
                && let Some(member) = self.start(&pod, claim).await?
            {
                running.insert(uid.clone(), member);
            }
            if let Some(member) = running.get_mut(&uid) {
                self.tell(member).await?;
            }
        }
        Ok(())
    }

    async fn start(&self, pod: &Pod, claim: &str) -> Result<Option<Running>, kube::Error> {
        let name = pod.name_any();
        let cluster = pod.labels().get("app.kubernetes.io/instance").cloned().unwrap_or_default();
        let image = pod.spec.iter().flat_map(|spec| &spec.containers).find_map(|container| container.image.clone());
        let image = image.unwrap_or_default();
        if image.ends_with(NO_SUCH_IMAGE) {
            let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}});
            let status = json!({"phase": "Pending", "containerStatuses": [container(&waiting, false)]});
            let status = Patch::Merge(json!({"status": status}));
            ignore_late(self.pods.patch_status(&name, &PatchParams::default(), &status).await)?;
            return Ok(None);
        }
        let ensemble = Arc::clone(self.ensembles.lock().unwrap().entry(cluster.clone()).or_default());
        if ensemble.is_kept_down(&name) {
            return Ok(None);
        }
        let Some(secret) = self.secrets.get_opt(&format!("{cluster}-secrets")).await? else { return Ok(None) };
        let token = secret.data.iter().flatten().find(|(key, _)| *key == "admin-token").map(|(_, value)| &value.0);
        let token = String::from_utf8(token.cloned().unwrap_or_default()).unwrap();
        let (ip, listener) = address().await;
        let version = image.rsplit(':').next().unwrap_or_default().to_owned();
        let member = Member { name: name.clone(), version, ensemble: Arc::clone(&ensemble), token };
        let server = tokio::spawn(async move { axum::serve(listener, member.router()).await.unwrap() });
        ensemble.start(&name, claim);
        Ok(Some(Running { name, ensemble, server, ip, told: None }))
    }

    /// Tells the API server how the pod is.
    async fn tell(&self, member: &mut Running) -> Result<(), kube::Error> {
        let ready = member.ensemble.serves(&member.name);
        if member.told == Some(ready) {
            return Ok(());
        }
        let now = k8s_openapi::jiff::Timestamp::now().to_string();
        let status = json!({
            "phase": "Running",
            "podIP": member.ip,
            "podIPs": [{"ip": member.ip}],
            "conditions": [
                {"type": "PodScheduled", "status": "True"},
                {"type": "Ready", "status": if ready { "True" } else { "False" }, "lastTransitionTime": now}
            ],
            "containerStatuses": [container(&json!({"running": {"startedAt": now}}), ready)]
        });
        let status = Patch::Merge(json!({"status": status}));
        ignore_late(self.pods.patch_status(&member.name, &PatchParams::default(), &status).await)?;
        member.told = Some(ready);
        Ok(())
    }
}

/// An address that no other pod has, not even one that another process on this machine plays.
async fn address() -> (String, TcpListener) {
    loop {
        let number = std::process::id().wrapping_mul(1021).wrapping_add(ADDRESSES.fetch_add(1, Ordering::Relaxed));
        let ip = format!("127.{}.{}.{}", 100 + ((number >> 16) & 63), (number >> 8) & 255, number & 255);
        match TcpListener::bind((ip.as_str(), ADMIN_PORT)).await {
            Ok(listener) => return (ip, listener),
            Err(error) => assert_eq!(error.kind(), ErrorKind::AddrInUse, "{ip}: {error}"),
        }
    }
}

fn container(state: &serde_json::Value, ready: bool) -> serde_json::Value {
    json!({"name": "coordd", "image": "", "imageID": "", "restartCount": 0, "ready": ready, "state": state})
}

fn ignore_late<T>(done: Result<T, kube::Error>) -> Result<(), kube::Error> {
    match done {
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        done => done.map(drop),
    }
}

/// The admin port of one pod.
#[derive(Clone)]
struct Member {
    name: String,
    version: String,
    ensemble: Arc<Ensemble>,
    token: String,
}

struct Refused(Refusal);

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        Refused(refusal)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (StatusCode::from_u16(self.0.code.status()).unwrap(), Json(self.0)).into_response()
    }
}

type Answer<T> = Result<Json<T>, Refused>;

impl Member {
    fn router(self) -> Router {
        Router::new()
            .route("/admin/v1/status", get(status))
            .route("/admin/v1/bootstrap", post(bootstrap))
            .route("/admin/v1/members", post(add))
            .route("/admin/v1/members/{id}/promote", post(promote))
            .route("/admin/v1/members/{id}", delete(remove))
            .route("/admin/v1/transfer-leader", post(transfer))
            .route("/admin/v1/recover", post(recover))
            .layer(middleware::from_fn_with_state(self.clone(), only_with_token))
            .with_state(self)
    }
}

async fn only_with_token(State(member): State<Member>, request: Request, next: Next) -> Response {
    if member.ensemble.is_mute(&member.name) {
        std::future::pending::<()>().await;
    }
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if given == Some(&format!("Bearer {}", member.token)) {
        return next.run(request).await;
    }
    Refused(Refusal {
        code: RefusalCode::Unauthorized,
        message: "a wrong token".to_owned(),
        what_to_do: String::new(),
        membership_index: None,
        leader: None,
    })
    .into_response()
}

async fn status(State(member): State<Member>) -> Json<coordd_api::AdminStatus> {
    Json(member.ensemble.status(&member.name, &member.version))
}

async fn bootstrap(State(member): State<Member>, Json(order): Json<Bootstrap>) -> Answer<Bootstrapped> {
    Ok(Json(Bootstrapped { ensemble_id: member.ensemble.bootstrap(&member.name, &order.members)? }))
}

async fn add(State(member): State<Member>, Json(order): Json<AddMember>) -> Answer<Added> {
    let (id, membership_index) = member.ensemble.add(&member.name, &order.peer_addr, order.membership_index)?;
    Ok(Json(Added { id, membership_index }))
}

async fn promote(State(member): State<Member>, Path(id): Path<u64>, Json(order): Json<Promote>) -> Answer<Changed> {
    Ok(Json(Changed { membership_index: member.ensemble.promote(&member.name, id, order.membership_index)? }))
}

async fn remove(State(member): State<Member>, Path(id): Path<u64>, Query(on): Query<Planned>) -> Answer<Changed> {
    Ok(Json(Changed { membership_index: member.ensemble.remove(&member.name, id, on.membership_index)? }))
}

async fn transfer(State(member): State<Member>, Json(order): Json<TransferLeader>) -> Answer<Transferred> {
    Ok(Json(Transferred { leader: member.ensemble.transfer(&member.name, order.to)? }))
}

async fn recover(State(member): State<Member>, Json(order): Json<Recover>) -> Answer<Recovered> {
    Ok(Json(Recovered { ensemble_id: member.ensemble.recover(&member.name, &order.ensemble_id)? }))
}
