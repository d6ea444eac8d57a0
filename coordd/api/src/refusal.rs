//! Why something was not done, for programs (`code`) and for people (`message`, `what_to_do`).

use std::fmt;

use serde::{Deserialize, Serialize};

/// Body of every answer of the admin API that is no success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Refusal {
    pub code: RefusalCode,
    pub message: String,
    pub what_to_do: String,
    /// With `moved`: the present membership index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub membership_index: Option<u64>,
    /// With `not_leader`: the name of the leader, when one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// 401: the bearer token is missing or wrong.
    Unauthorized,
    /// 400: the request was not understood.
    BadRequest,
    /// 404: no such call.
    NotFound,
    /// 421: another member leads.
    NotLeader,
    /// 409: the membership has moved since the change was planned.
    Moved,
    /// 422: it would be wrong to do this; asking again does not help.
    Refused,
    /// 503: it cannot be done now; asking again later may help.
    Unavailable,
}

impl RefusalCode {
    /// The HTTP status that carries it.
    pub fn status(self) -> u16 {
        match self {
            RefusalCode::Unauthorized => 401,
            RefusalCode::BadRequest => 400,
            RefusalCode::NotFound => 404,
            RefusalCode::NotLeader => 421,
            RefusalCode::Moved => 409,
            RefusalCode::Refused => 422,
            RefusalCode::Unavailable => 503,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.what_to_do.is_empty() {
            write!(f, "; {}", self.what_to_do)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}
