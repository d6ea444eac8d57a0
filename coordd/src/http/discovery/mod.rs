//! The discovery API: services, configuration, leaders and znodes for everyone who speaks HTTP.
//!
//! ```text
//!   request ─► ask (path, query, who) ─► may clients be answered? ─► one read guard ─► still? ─► answer │ problem
//! ```
//!
//! Rule: an HTTP read is a read of ZooKeeper's (design D18): answered from this member's state, under the same gate as
//! the client port and with the same ACLs; its ETag is the newest change that it rests on, `Coordd-Zxid` the zxid of
//! the state. The gate is asked again after the reading. Reason: in between this member may have been cut off, and an
//! ephemeral that it still shows may have another owner.

mod answer;
mod ask;
mod problem;

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::get;
use coordd_api::discovery::{ConfigTree, Format, LeaderView, Problem, ServiceView, ZnodeView};

use self::answer::Answered;
use self::ask::Ask;
use self::problem::Refused;
use super::Http;
use crate::discovery::{Failure, config as configuration, leader as election, properties, services, znodes};

/// How long a caller waits for a member that is about to be confirmed.
const GATE_PATIENCE: Duration = Duration::from_secs(1);

pub(super) fn routes() -> Router<Http> {
    let mut router = Router::new();
    for (prefix, handler) in
        [("services", get(services)), ("config", get(config)), ("leader", get(leader)), ("znodes", get(znodes))]
    {
        let (of_root, of_slash) = (handler.clone(), handler.clone());
        router = router
            .route(&format!("/v1/{prefix}"), of_root)
            .route(&format!("/v1/{prefix}/"), of_slash)
            .route(&format!("/v1/{prefix}/{{*path}}"), handler);
    }
    router
}

/// Reads the state under one guard, if clients may be answered before it and after.
async fn read<T>(
    http: &Http,
    reading: impl Fn(&coordd_tree::State) -> Result<T, Failure>,
) -> Result<(i64, T), Refused> {
    for _ in 0..2 {
        let Some(mode) = http.commands.is_read_only() else {
            let status = http.consensus.status().borrow().clone();
            return Err(Refused::NotServing(status.not_serving.clone().unwrap_or_default()));
        };
        let gated = mode != "ro";
        if gated && !http.consensus.may_answer() {
            let _ = tokio::time::timeout(GATE_PATIENCE, http.consensus.answerable()).await;
        }
        let (zxid, read) = {
            let state = http.consensus.state().read();
            (state.last_zxid().0, reading(&state))
        };
        if !gated || http.consensus.may_answer() {
            return read.map(|read| (zxid, read)).map_err(|failure| Refused::Failed { failure, zxid });
        }
    }
    Err(Refused::NotServing("no quorum confirms this member".to_owned()))
}

/// The instances registered below a znode, or with `list` the names of its children.
#[utoipa::path(get, path = "/v1/services/{path}",
    params(
        ("path" = String, Path, description = "A znode's path without its first slash"),
        ("format" = Option<Format>, Query, description = "How registrations are written; `auto` without it"),
        ("list" = Option<String>, Query, description = "Services below a base path instead: ServiceList"),
        ("state" = Option<String>, Query, description = "up, starting, stopping, down; may be repeated"),
        ("zone" = Option<String>, Query, description = "May be repeated"),
        ("metadata.KEY" = Option<String>, Query, description = "The value that an instance has under KEY"),
        ("address_path" = Option<String>, Query, description = "Of json: $.a[0].b; also port_, ready_, zone_path …"),
        ("If-None-Match" = Option<String>, Header)),
    responses((status = 200, body = ServiceView), (status = 304), (status = "4XX", body = Problem),
        (status = 503, body = Problem)))]
pub(super) async fn services(State(http): State<Http>, uri: Uri, headers: HeaderMap) -> Response {
    let asked = Ask::parse("/v1/services", &uri, &headers, &http.commands);
    answer::respond(&uri, async {
        let mut ask = asked?;
        if ask.flag("list")? {
            ask.finish("list")?;
            let (state, list) = read(&http, |state| services::list(state, &ask.path, &ask.auth)).await?;
            return Ok(Answered::json(&ask, state, list.zxid, || list));
        }
        let wanted = ask.services()?;
        ask.finish(
            "format, list, state, zone, metadata.KEY and, of json, address_path, port_path, ready_path, \
                    zone_path, weight_path",
        )?;
        let collect = |state: &coordd_tree::State| services::collect(state, &ask.path, wanted.format, &ask.auth);
        let (state, found) = read(&http, collect).await?;
        let view = |found| services::view(found, wanted.format, &wanted.paths, &wanted.filter);
        Ok(Answered::json(&ask, state, found.zxid, || view(found)))
    })
    .await
}

/// One znode's bytes, or with `recurse` the subtree as keys and values.
#[utoipa::path(get, path = "/v1/config/{path}",
    params(
        ("path" = String, Path, description = "A znode's path without its first slash"),
        ("type" = Option<String>, Query, description = "Media type of the bytes; guessed without it"),
        ("recurse" = Option<String>, Query, description = "The subtree: json (also without a value), properties, env"),
        ("If-None-Match" = Option<String>, Header)),
    responses((status = 200, body = ConfigTree, description = "With `recurse`; else the znode's bytes"), (status = 304),
        (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn config(State(http): State<Http>, uri: Uri, headers: HeaderMap) -> Response {
    let asked = Ask::parse("/v1/config", &uri, &headers, &http.commands);
    answer::respond(&uri, async {
        let mut ask = asked?;
        let Some(form) = ask.take("recurse") else {
            let media = ask.media_type()?;
            ask.finish("type, recurse")?;
            let (state, found) = read(&http, |state| configuration::document(state, &ask.path, &ask.auth)).await?;
            let media = media.unwrap_or_else(|| answer::fixed(configuration::guess(&found.bytes)));
            return Ok(Answered::bytes(&ask, state, found.zxid, media, found.bytes));
        };
        ask.finish("type, recurse")?;
        let lines = match form.as_str() {
            "" | "json" => None,
            "properties" => Some(properties::properties as fn(&ConfigTree) -> Result<String, Failure>),
            "env" => Some(properties::env as fn(&ConfigTree) -> Result<String, Failure>),
            _ => return Err(Refused::query("recurse", &form, "json, properties or env")),
        };
        let (state, tree) = read(&http, |state| configuration::tree(state, &ask.path, &ask.auth)).await?;
        let Some(lines) = lines else { return Ok(Answered::json(&ask, state, tree.zxid, || tree)) };
        let text = lines(&tree).map_err(|failure| Refused::Failed { failure, zxid: state })?;
        Ok(Answered::bytes(&ask, state, tree.zxid, answer::fixed("text/plain; charset=utf-8"), text.into_bytes()))
    })
    .await
}

/// Who leads an election, who is next, and a fencing token.
#[utoipa::path(get, path = "/v1/leader/{path}",
    params(
        ("path" = String, Path, description = "The election's znode, without its first slash"),
        ("If-None-Match" = Option<String>, Header)),
    responses((status = 200, body = LeaderView), (status = 304), (status = "4XX", body = Problem),
        (status = 503, body = Problem)))]
pub(super) async fn leader(State(http): State<Http>, uri: Uri, headers: HeaderMap) -> Response {
    let asked = Ask::parse("/v1/leader", &uri, &headers, &http.commands);
    answer::respond(&uri, async {
        let ask = asked?;
        ask.finish("none")?;
        let (state, view) = read(&http, |state| election::leader(state, &ask.path, &ask.auth)).await?;
        Ok(Answered::json(&ask, state, view.zxid, || view))
    })
    .await
}

/// A znode's data and Stat, or with `children` their names.
#[utoipa::path(get, path = "/v1/znodes/{path}",
    params(
        ("path" = String, Path, description = "A znode's path without its first slash"),
        ("children" = Option<String>, Query, description = "Names of the children instead of data: ChildList"),
        ("If-None-Match" = Option<String>, Header)),
    responses((status = 200, body = ZnodeView), (status = 304), (status = "4XX", body = Problem),
        (status = 503, body = Problem)))]
pub(super) async fn znodes(State(http): State<Http>, uri: Uri, headers: HeaderMap) -> Response {
    let asked = Ask::parse("/v1/znodes", &uri, &headers, &http.commands);
    answer::respond(&uri, async {
        let mut ask = asked?;
        let children = ask.flag("children")?;
        ask.finish("children")?;
        if children {
            let (state, list) = read(&http, |state| znodes::children(state, &ask.path, &ask.auth)).await?;
            return Ok(Answered::json(&ask, state, list.zxid, || list));
        }
        let (state, view) = read(&http, |state| znodes::znode(state, &ask.path, &ask.auth)).await?;
        Ok(Answered::json(&ask, state, view.zxid, || view))
    })
    .await
}
