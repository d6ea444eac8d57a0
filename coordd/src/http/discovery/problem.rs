//! Why there is no answer, as a problem document that says what to do (RFC 9457).
//!
//! ```text
//!   400 not understood   401 may not be read   404 not there   405, 414   422 too much   503 not now: Retry-After
//! ```
//!
//! Rule: a problem is kept by nobody (`no-store`), and says in words and by a type what to do next. Reason: what is not
//! there now may be there in a moment, and who may not read it is not whoever asks next.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, RETRY_AFTER, VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use coordd_api::discovery::Problem;

use super::answer::{VARIES, ZXID, fixed};
use crate::discovery::Failure;

#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("the path is no znode's: {0}")]
    Path(String),
    #[error("the path is longer than {0} bytes")]
    PathTooLong(usize),
    #[error("the query is longer than {0} bytes or has more than {1} parameters")]
    QueryTooLong(usize, usize),
    #[error("the query is no URL-encoding of UTF-8")]
    QueryEncoding,
    #[error("{name}={value:?} is not known: {wanted}")]
    Query { name: String, value: String, wanted: &'static str },
    #[error("nothing is known by {name:?} here, or not twice")]
    Unknown { name: String, known: &'static str },
    #[error("the credentials are not HTTP Basic's user:password of at most 512 bytes")]
    Credentials,
    #[error("this member does not serve: {0}")]
    NotServing(String),
    #[error("this member has no quorum and only reads")]
    OnlyReads,
    #[error("this member has applied {at}, not {after} yet")]
    Behind { after: i64, at: i64 },
    #[error("this member can take no more now: {0}")]
    Busy(&'static str),
    #[error("an answer cannot be followed before every member knows all of its changes")]
    Upgrading,
    #[error("there is nothing at this path")]
    NoRoute,
    #[error("{0} is no method of this path")]
    Method(String),
    #[error("{failure}")]
    Failed { failure: Failure, zxid: i64, tag: Option<String> },
}

/// Status, the word for programs, title, what to do.
type Kind = (StatusCode, &'static str, &'static str, String);

impl Refused {
    pub(super) fn query(name: &str, value: &str, wanted: &'static str) -> Refused {
        Refused::Query { name: name.to_owned(), value: value.chars().take(100).collect(), wanted }
    }

    fn kind(&self) -> Kind {
        let kind = |status, word, title, to_do: &str| (status, word, title, to_do.to_owned());
        match self {
            Refused::Path(_) => kind(
                StatusCode::BAD_REQUEST,
                "path",
                "Not the path of a znode",
                "ask for a path such as /v1/services/services/orders; % in a znode's name is %25",
            ),
            Refused::PathTooLong(_) => {
                kind(StatusCode::URI_TOO_LONG, "path-too-long", "The path is too long", "ask for a shorter path")
            }
            Refused::QueryTooLong(..) => {
                kind(StatusCode::BAD_REQUEST, "query", "The query is too long", "ask for less at once")
            }
            Refused::QueryEncoding => {
                kind(StatusCode::BAD_REQUEST, "query", "The query is not understood", "URL-encode names and values")
            }
            Refused::Query { name, wanted, .. } => {
                let to_do = format!("give {name}: {wanted}");
                (StatusCode::BAD_REQUEST, "query", "The query is not understood", to_do)
            }
            Refused::Unknown { known, .. } => {
                let to_do = format!("leave it out; known here: {known}");
                (StatusCode::BAD_REQUEST, "query", "The query is not understood", to_do)
            }
            Refused::Credentials => kind(
                StatusCode::UNAUTHORIZED,
                "credentials",
                "The credentials are not understood",
                "send Authorization: Basic with the user and password of ZooKeeper's digest scheme, or nothing",
            ),
            Refused::NoRoute => kind(
                StatusCode::NOT_FOUND,
                "no-route",
                "There is nothing here",
                "ask /openapi.json what there is: /v1/ensemble, /v1/services, /v1/config, /v1/leader, /v1/znodes",
            ),
            Refused::Method(_) => kind(
                StatusCode::METHOD_NOT_ALLOWED,
                "method",
                "Not a method of this path",
                "use GET; state is changed over ZooKeeper's protocol, members over the admin port",
            ),
            Refused::NotServing(_) | Refused::OnlyReads | Refused::Behind { .. } => self.not_now(),
            Refused::Busy(_) | Refused::Upgrading => self.not_now(),
            Refused::Failed { failure, .. } => of_failure(failure),
        }
    }

    fn not_now(&self) -> Kind {
        let (word, title, what_to_do) = match self {
            Refused::OnlyReads => (
                "only-reads",
                "This member only reads",
                "ask another member (/v1/ensemble names them), or with consistency=stale for what this one last knew",
            ),
            Refused::Behind { .. } => (
                "behind",
                "This member has not come so far yet",
                "ask again in a second, or the member that gave this zxid; where /v1/ensemble has another ensemble_id \
                 than it had then, zxids began anew: ask without after and Last-Event-ID",
            ),
            Refused::Busy(_) => ("busy", "This member has too much to do", "ask again in a second, or another member"),
            Refused::Upgrading => (
                "upgrading",
                "The ensemble is being upgraded",
                "ask without after, wait and event streams until every member runs the new release",
            ),
            _ => (
                "not-serving",
                "This member cannot answer now",
                "ask again in a second, or another member (/v1/ensemble names them)",
            ),
        };
        (StatusCode::SERVICE_UNAVAILABLE, word, title, what_to_do.to_owned())
    }

    pub(super) fn problem(&self, instance: &str) -> Problem {
        let (status, word, title, what_to_do) = self.kind();
        Problem {
            kind: format!("urn:coordd:problem:{word}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.to_string(),
            what_to_do,
            instance: instance.to_owned(),
        }
    }

    pub(super) fn respond(self, uri: &Uri) -> Response {
        let (status, ..) = self.kind();
        let problem = self.problem(uri.path_and_query().map_or("", |asked| asked.as_str()));
        let mut response = (status, serde_json::to_vec(&problem).unwrap_or_default()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, fixed("application/problem+json"));
        headers.insert(CACHE_CONTROL, fixed("no-store"));
        headers.insert(VARY, fixed(VARIES));
        headers.insert(X_CONTENT_TYPE_OPTIONS, fixed("nosniff"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, fixed("Basic realm=\"coordd\", charset=\"UTF-8\""));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, fixed("1"));
        }
        if let Refused::Failed { zxid, tag, .. } = self {
            headers.insert(ZXID, HeaderValue::from(zxid));
            let tag = tag.and_then(|tag| HeaderValue::from_str(&tag).ok());
            tag.map(|tag| headers.insert(ETAG, tag));
        }
        response
    }
}

fn of_failure(failure: &Failure) -> Kind {
    let kind = |status, word, title, to_do: &str| (status, word, title, to_do.to_owned());
    match failure {
        Failure::NoZnode { .. } => kind(
            StatusCode::NOT_FOUND,
            "no-znode",
            "There is no such znode",
            "look at /v1/znodes/PARENT?children; the path begins at the root, without a client's chroot",
        ),
        // Who asks with other credentials may be let in, so both are told alike.
        Failure::Unreadable { .. } => kind(
            StatusCode::UNAUTHORIZED,
            "unreadable",
            "The znode may not be read",
            "send HTTP Basic credentials of a user to whom its ACL grants READ by the digest scheme",
        ),
        Failure::TooMany { .. } => kind(
            StatusCode::UNPROCESSABLE_ENTITY,
            "too-many-znodes",
            "Too many znodes for one answer",
            "ask for a part of it: a path further down",
        ),
        Failure::TooLarge { .. } | Failure::AnswerTooLarge { .. } => kind(
            StatusCode::UNPROCESSABLE_ENTITY,
            "too-large",
            "Too much data for one answer",
            "ask for a part of it: a path further down",
        ),
        Failure::SameKey { .. } => kind(
            StatusCode::UNPROCESSABLE_ENTITY,
            "same-key",
            "Two znodes have one key in this form",
            "ask with recurse=json, where keys are paths, or rename one of them",
        ),
    }
}
