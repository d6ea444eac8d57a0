//! The one place where a refusal becomes an HTTP answer.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use coordd_api::{Refusal, RefusalCode};

use super::ops::OpsError;

/// An answer that is no success.
#[derive(Debug)]
pub(super) struct Failure(pub Refusal);

impl Failure {
    pub(super) fn new(code: RefusalCode, message: impl Into<String>, what_to_do: &str) -> Failure {
        Failure(Refusal {
            code,
            message: message.into(),
            what_to_do: what_to_do.to_owned(),
            membership_index: None,
            leader: None,
        })
    }
}

impl From<OpsError> for Failure {
    fn from(error: OpsError) -> Failure {
        let message = error.to_string();
        match error {
            OpsError::NotLeader { leader } => {
                let what_to_do = match &leader {
                    Some(name) => format!("ask the admin port of {name}"),
                    None => "ask again when a leader is elected".to_owned(),
                };
                let code = RefusalCode::NotLeader;
                Failure(Refusal { code, message, what_to_do, membership_index: None, leader })
            }
            OpsError::Moved { present } => Failure(Refusal {
                code: RefusalCode::Moved,
                message,
                what_to_do: "look at the status, plan anew, and name the new membership_index".to_owned(),
                membership_index: Some(present),
                leader: None,
            }),
            OpsError::Refused(_) => Failure::new(RefusalCode::Refused, message, ""),
            OpsError::Unavailable(_) => Failure::new(RefusalCode::Unavailable, message, "ask again later"),
        }
    }
}

macro_rules! bad_request {
    ($($rejection:ty),*) => {$(
        impl From<$rejection> for Failure {
            fn from(rejection: $rejection) -> Failure {
                Failure::new(RefusalCode::BadRequest, rejection.body_text(), "see /openapi.json")
            }
        }
    )*};
}
bad_request!(JsonRejection, PathRejection, QueryRejection);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self.0)).into_response()
    }
}
