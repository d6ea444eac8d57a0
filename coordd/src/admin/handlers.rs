//! One function per call: take apart, hand over, put together.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use coordd_api::{
    AddMember, Added, AdminStatus, Backup, Bootstrap, Bootstrapped, Changed, Drain, Drained, Planned, Promote, Recover,
    Recovered, Refusal, RefusalCode, Replace, Replaced, TransferLeader, Transferred,
};
use futures_util::stream;
use tokio::time::timeout;

use super::Admin;
use super::failure::Failure;
use crate::http::view;

type Answer<T> = Result<Json<T>, Failure>;
type Order<T> = Result<Json<T>, JsonRejection>;
type Id = Result<Path<u64>, PathRejection>;

/// The status is published ten times a second, so it shows a change well within this.
const SHOWN_MAX: Duration = Duration::from_secs(1);

impl Admin {
    /// Waits until this member's status shows the membership of log index `index`, and says that index: whoever has the
    /// answer and asks for the status plans on what was done, not on what was there before.
    async fn shown(&self, index: u64) -> u64 {
        let mut status = self.consensus.status();
        // What is committed stands, shown or not.
        let _ = timeout(SHOWN_MAX, status.wait_for(|status| status.membership_index >= index)).await;
        index
    }
}

/// What this member is and knows.
#[utoipa::path(get, path = "/admin/v1/status", responses((status = 200, body = AdminStatus)))]
pub(super) async fn status(State(admin): State<Admin>) -> Json<AdminStatus> {
    Json(view::admin_status(&admin.consensus.status().borrow()))
}

/// Form a new ensemble of members with empty disks.
#[utoipa::path(post, path = "/admin/v1/bootstrap", request_body = Bootstrap,
    responses((status = 200, body = Bootstrapped), (status = "default", body = Refusal)))]
pub(super) async fn bootstrap(State(admin): State<Admin>, order: Order<Bootstrap>) -> Answer<Bootstrapped> {
    let Json(order) = order?;
    let ensemble_id = admin.ops.bootstrap(order.members).await?;
    Ok(Json(Bootstrapped { ensemble_id }))
}

/// Take an unformed member in as a learner.
#[utoipa::path(post, path = "/admin/v1/members", request_body = AddMember,
    responses((status = 200, body = Added), (status = "default", body = Refusal)))]
pub(super) async fn add(State(admin): State<Admin>, order: Order<AddMember>) -> Answer<Added> {
    let Json(order) = order?;
    let (id, index) = admin.ops.add(order.peer_addr, order.membership_index).await?;
    Ok(Json(Added { id, membership_index: admin.shown(index).await }))
}

/// Give a learner that has caught up its vote.
#[utoipa::path(post, path = "/admin/v1/members/{id}/promote", params(("id" = u64, Path)), request_body = Promote,
    responses((status = 200, body = Changed), (status = "default", body = Refusal)))]
pub(super) async fn promote(State(admin): State<Admin>, id: Id, order: Order<Promote>) -> Answer<Changed> {
    let (Path(id), Json(order)) = (id?, order?);
    let index = admin.ops.promote(id, order.membership_index).await?;
    Ok(Json(Changed { membership_index: admin.shown(index).await }))
}

/// Take a member out, voter or learner. Out already: a success.
#[utoipa::path(delete, path = "/admin/v1/members/{id}", params(("id" = u64, Path), Planned),
    responses((status = 200, body = Changed), (status = "default", body = Refusal)))]
pub(super) async fn remove(
    State(admin): State<Admin>,
    id: Id,
    planned: Result<Query<Planned>, QueryRejection>,
) -> Answer<Changed> {
    let (Path(id), Query(planned)) = (id?, planned?);
    let index = admin.ops.remove(id, planned.membership_index).await?;
    Ok(Json(Changed { membership_index: admin.shown(index).await }))
}

/// Put an unformed member in the place of one whose disk is lost.
#[utoipa::path(post, path = "/admin/v1/members/{id}/replace", params(("id" = u64, Path)), request_body = Replace,
    responses((status = 200, body = Replaced), (status = "default", body = Refusal)))]
pub(super) async fn replace(State(admin): State<Admin>, id: Id, order: Order<Replace>) -> Answer<Replaced> {
    let (Path(id), Json(order)) = (id?, order?);
    let (id, index) = admin.ops.replace(id, order.peer_addr, order.membership_index).await?;
    Ok(Json(Replaced { id, membership_index: admin.shown(index).await }))
}

/// Move leadership.
#[utoipa::path(post, path = "/admin/v1/transfer-leader", request_body = TransferLeader,
    responses((status = 200, body = Transferred), (status = "default", body = Refusal)))]
pub(super) async fn transfer_leader(State(admin): State<Admin>, order: Order<TransferLeader>) -> Answer<Transferred> {
    let Json(order) = order?;
    let leader = admin.ops.transfer_leader(order.to).await?;
    Ok(Json(Transferred { leader }))
}

/// A snapshot of everything acknowledged before, as a file that `coordd restore` takes.
#[utoipa::path(get, path = "/admin/v1/snapshot", params(Backup),
    responses((status = 200, content_type = "application/octet-stream"), (status = "default", body = Refusal)))]
pub(super) async fn snapshot(
    State(admin): State<Admin>,
    asked: Result<Query<Backup>, QueryRejection>,
) -> Result<Response, Failure> {
    let Query(asked) = asked?;
    let snapshot = admin.ops.snapshot(asked).await?;
    let headers = [(CONTENT_TYPE, "application/octet-stream".to_owned()), (CONTENT_LENGTH, snapshot.bytes.to_string())];
    let pieces = stream::unfold(snapshot.pieces, |mut pieces| async move { Some((pieces.recv().await?, pieces)) });
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// Go on alone, as a new ensemble, when the quorum is lost for good.
#[utoipa::path(post, path = "/admin/v1/recover", request_body = Recover,
    responses((status = 200, body = Recovered), (status = "default", body = Refusal)))]
pub(super) async fn recover(State(admin): State<Admin>, order: Order<Recover>) -> Answer<Recovered> {
    let Json(order) = order?;
    let status = admin.consensus.status().borrow().clone();
    if order.survivor != status.name {
        let message = format!("this is {}, not {}", status.name, order.survivor);
        return Err(Failure::new(RefusalCode::Refused, message, "ask the member that is to survive"));
    }
    let ensemble_id = admin.ops.recover(order).await?;
    Ok(Json(Recovered { ensemble_id }))
}

/// Readiness off, leadership handed over, client connections closed in slices; answers when that is done.
#[utoipa::path(post, path = "/admin/v1/drain", request_body = Drain,
    responses((status = 200, body = Drained), (status = "default", body = Refusal)))]
pub(super) async fn drain(State(admin): State<Admin>, order: Order<Drain>) -> Answer<Drained> {
    let Json(order) = order?;
    admin.ops.drain(Duration::from_millis(order.timeout_ms)).await?;
    Ok(Json(Drained {}))
}

pub(super) async fn no_such_call() -> Failure {
    Failure::new(RefusalCode::NotFound, "no such call", "see /openapi.json")
}
