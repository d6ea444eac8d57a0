//! Why there is no answer, as a problem document that says what to do (RFC 9457).

use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use coordd_api::discovery::Problem;

use super::answer::{ZXID, fixed};
use crate::discovery::Failure;

#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("the path is no znode's: {0}")]
    Path(String),
    #[error("the path is longer than {0} bytes")]
    PathTooLong(usize),
    #[error("the query is no URL-encoding of UTF-8")]
    QueryEncoding,
    #[error("{name}={value:?} is not known: {wanted}")]
    Query { name: String, value: String, wanted: &'static str },
    #[error("nothing is known by {name:?} here, or not twice")]
    Unknown { name: String, known: &'static str },
    #[error("the credentials are not HTTP Basic's user:password")]
    Credentials,
    #[error("this member does not serve: {0}")]
    NotServing(String),
    #[error("{failure}")]
    Failed { failure: Failure, zxid: i64 },
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
            Refused::NotServing(_) => kind(
                StatusCode::SERVICE_UNAVAILABLE,
                "not-serving",
                "This member cannot answer now",
                "ask again in a second, or another member (/v1/ensemble names them)",
            ),
            Refused::Failed { failure, .. } => of_failure(failure),
        }
    }

    pub(super) fn respond(self, uri: &Uri) -> Response {
        let (status, word, title, what_to_do) = self.kind();
        let problem = Problem {
            kind: format!("urn:coordd:problem:{word}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.to_string(),
            what_to_do,
            instance: uri.path_and_query().map_or("", |asked| asked.as_str()).to_owned(),
        };
        let mut response = (status, serde_json::to_vec(&problem).unwrap_or_default()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, fixed("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, fixed("Basic realm=\"coordd\", charset=\"UTF-8\""));
        }
        match self {
            Refused::NotServing(_) => drop(headers.insert(RETRY_AFTER, fixed("1"))),
            Refused::Failed { zxid, .. } => drop(headers.insert(ZXID, HeaderValue::from(zxid))),
            _ => {}
        }
        response
    }
}

fn of_failure(failure: &Failure) -> Kind {
    let kind = |status, word, title, to_do: &str| (status, word, title, to_do.to_owned());
    match failure {
        Failure::NoZnode(_) => kind(
            StatusCode::NOT_FOUND,
            "no-znode",
            "There is no such znode",
            "look at /v1/znodes/PARENT?children; the path begins at the root, without a client's chroot",
        ),
        // Who asks with other credentials may be let in, so both are told alike.
        Failure::Unreadable(_) => kind(
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
        Failure::TooLarge { .. } => kind(
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
