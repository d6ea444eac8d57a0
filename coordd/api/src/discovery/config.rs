//! A subtree of configuration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Encoding;

/// What a stream of `GET /v1/config/{path}` carries in the place of an answer that is no JSON: one znode's bytes, or a
/// subtree as `properties` or `env`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ConfigValue {
    pub path: String,
    /// The newest change that the answer rests on.
    pub zxid: i64,
    /// The type that the answer has without a stream.
    pub media_type: String,
    pub encoding: Encoding,
    pub data: String,
}

/// A znode whose value is not among the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LeftOut {
    /// Relative to the path that was asked for.
    pub key: String,
    pub reason: String,
}

/// Answer of `GET /v1/config/{path}?recurse`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ConfigTree {
    pub path: String,
    /// The newest change that the answer rests on.
    pub zxid: i64,
    /// Relative path, such as `db/url`, to value. The znode that was asked for is "". A znode without data that has
    /// children is no value.
    pub values: BTreeMap<String, String>,
    /// What the caller may not read, and what is no text.
    pub left_out: Vec<LeftOut>,
}
