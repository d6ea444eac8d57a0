//! `/v1/services`, `/v1/config`, `/v1/leader`, `/v1/znodes`: what applications have registered, for those who have
//! nothing but HTTP.
//!
//! ```text
//!   request ─► asked (what, who, when) ─┬─► read ─► answer                                  │ problem
//!                                       └─► follow: a topic of all who ask the same ─► poll, stream
//! ```
//!
//! Rule: an HTTP read is a read of ZooKeeper's (design D18): answered from this member's state, under the same gate as
//! the client port and with the same ACLs; its ETag is the newest change that it rests on, `Coordd-Zxid` the zxid of
//! the state. Reason: whoever holds two answers can say which is newer, whichever members gave them.

mod answer;
mod ask;
mod asked;
mod describe;
mod etag;
mod flight;
mod follow;
mod kept;
mod problem;
mod read;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{Method, Uri};
use axum::response::Response;
use axum::routing::{any, get};
use bytes::Bytes;
use coordd_api::discovery::{ConfigTree, LeaderView, ServiceView, ZnodeView};

use self::asked::{Consistency, Route};
pub(super) use self::describe::complete;
use self::flight::{Flight, Turns};
use self::follow::Follow;
use self::kept::Kept;
use self::problem::Refused;
use self::read::{Line, Reader};
use super::Http;
use super::listen::Brief;

/// Bytes of answers that sockets have not taken yet, and of those that are followed, each with those that slow
/// followers have not taken yet: large ones, and small ones.
const LARGE_MAX: usize = 64 << 20;
const SMALL_MAX: usize = 32 << 20;

/// What all requests share.
#[derive(Debug)]
pub(super) struct Desk {
    answers: Flight,
    followed: Flight,
    turns: Turns,
    kept: Kept,
    follow: Follow,
}

impl Default for Desk {
    fn default() -> Desk {
        let flight = || Flight::new(SMALL_MAX, LARGE_MAX);
        // Each connection asks one thing at a time.
        let turns = Turns::new(None);
        Desk { answers: flight(), followed: flight(), turns, kept: Kept::default(), follow: Follow::default() }
    }
}

pub(super) fn routes() -> Router<Http> {
    let mut router = Router::new();
    for route in Route::ALL {
        let handler = match route {
            Route::Services => get(services),
            Route::Config => get(config),
            Route::Leader => get(leader),
            Route::Znodes => get(znodes),
        };
        let (of_root, of_slash, prefix) = (handler.clone(), handler.clone(), route.prefix());
        router = router
            .route(prefix, of_root)
            .route(&format!("{prefix}/"), of_slash)
            .route(&format!("{prefix}/{{*path}}"), handler);
    }
    router.route("/v1/{*path}", any(no_route)).method_not_allowed_fallback(no_method)
}

async fn no_route(uri: Uri) -> Response {
    Refused::NoRoute.respond(&uri)
}

async fn no_method(method: Method, uri: Uri) -> Response {
    Refused::Method(method.to_string().chars().take(20).collect()).respond(&uri)
}

async fn serve(http: &Http, route: Route, parts: Parts) -> Response {
    let Parts { uri, headers, extensions, .. } = parts;
    let brief = extensions.get::<Brief>().is_some();
    let parsed = asked::parse(route, &uri, &headers, &http.commands);
    // Whoever waits keeps no more than he has to.
    drop((headers, extensions));
    let follows = parsed.as_ref().is_ok_and(|(_, terms)| terms.follows());
    let uri = if follows { alone(uri) } else { uri };
    let answered = async {
        let (asked, terms) = parsed?;
        if follows && brief {
            return Err(Refused::Busy("connections; on this one nothing is followed"));
        }
        let asked = Arc::new(asked);
        if let Some(zxid) = terms.seen() {
            follow::reached(http, zxid).await?;
        }
        if terms.consistency == Consistency::Linearizable {
            read::barrier(http).await?;
        }
        if terms.stream {
            return follow::stream(http, asked, &terms).await;
        }
        if let Some(wait) = terms.wait {
            return follow::poll(http, asked, &terms, wait).await;
        }
        if let Some(response) = kept::answer(http, &asked, &terms).await? {
            return Ok(response);
        }
        let line = Line { turns: &http.desk.turns, large: false, reader: Reader::Caller };
        let reading = read::read(http, &asked, terms.consistency, line).await?;
        answer::answer(http, &asked, &terms, reading).await
    };
    answer::respond(&uri, answered.await)
}

/// The same in memory of its own: a request's stands in the whole head that came.
fn alone(uri: Uri) -> Uri {
    Uri::from_maybe_shared(Bytes::from(uri.to_string())).unwrap_or_default()
}

/// The instances registered below a znode, or with `list` the names of its children.
#[utoipa::path(get, path = "/v1/services/{path}", responses((status = 200, body = ServiceView)))]
pub(super) async fn services(State(http): State<Http>, parts: Parts) -> Response {
    serve(&http, Route::Services, parts).await
}

/// One znode's bytes, or with `recurse` the subtree as keys and values.
#[utoipa::path(get, path = "/v1/config/{path}", responses((status = 200, body = ConfigTree)))]
pub(super) async fn config(State(http): State<Http>, parts: Parts) -> Response {
    serve(&http, Route::Config, parts).await
}

/// Who leads an election, who is next, and a fencing token.
#[utoipa::path(get, path = "/v1/leader/{path}", responses((status = 200, body = LeaderView)))]
pub(super) async fn leader(State(http): State<Http>, parts: Parts) -> Response {
    serve(&http, Route::Leader, parts).await
}

/// A znode's data and Stat, or with `children` their names.
#[utoipa::path(get, path = "/v1/znodes/{path}", responses((status = 200, body = ZnodeView)))]
pub(super) async fn znodes(State(http): State<Http>, parts: Parts) -> Response {
    serve(&http, Route::Znodes, parts).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_who_waits_does_not_keep_the_head_that_it_came_in() {
        let head = Bytes::from("GET /v1/config/a%20b?wait=5m HTTP/1.1".as_bytes().to_vec());
        let uri = Uri::from_maybe_shared(head.slice(4..28)).unwrap();
        assert!(!head.is_unique());
        let alone = alone(uri);
        assert_eq!(alone.to_string(), "/v1/config/a%20b?wait=5m");
        assert!(head.is_unique());
    }
}
