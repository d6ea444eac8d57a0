//! The admin port's description; `docs/openapi/admin.json` is this, committed.

use utoipa::OpenApi;
use utoipa::openapi;

use super::handlers;

#[derive(OpenApi)]
#[openapi(
    info(title = "coordd admin", description = "Membership, leadership, snapshots and recovery of an ensemble."),
    paths(
        handlers::status,
        handlers::bootstrap,
        handlers::add,
        handlers::promote,
        handlers::remove,
        handlers::replace,
        handlers::transfer_leader,
        handlers::snapshot,
        handlers::recover,
        handlers::drain
    )
)]
struct Document;

pub(crate) fn document() -> openapi::OpenApi {
    Document::openapi()
}
