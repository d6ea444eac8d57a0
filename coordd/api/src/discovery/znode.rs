//! A znode as it is.

use serde::{Deserialize, Serialize};

/// ZooKeeper's Stat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ZnodeStat {
    /// The zxid of its creation.
    pub czxid: i64,
    /// The zxid of the last change of its data.
    pub mzxid: i64,
    /// The zxid of the last change of its list of children.
    pub pzxid: i64,
    /// Milliseconds since the Unix epoch.
    pub ctime: i64,
    /// Milliseconds since the Unix epoch.
    pub mtime: i64,
    /// Changes of data.
    pub version: i32,
    /// Changes of the list of children.
    pub cversion: i32,
    /// Changes of the access control list.
    pub aversion: i32,
    /// The session that holds an ephemeral, in hexadecimal as `0x…`; `null` for every other znode.
    pub ephemeral_owner: Option<String>,
    /// Bytes.
    pub data_length: i32,
    pub num_children: i32,
}

/// How `data` is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// As it stands: it is UTF-8.
    Text,
    /// It is other bytes, in base64 with padding.
    Base64,
}

/// Answer of `GET /v1/znodes/{path}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ZnodeView {
    pub path: String,
    /// The newest change that the answer rests on.
    pub zxid: i64,
    pub encoding: Encoding,
    /// `null` for a znode that was given none, which is not the same as empty.
    pub data: Option<String>,
    pub stat: ZnodeStat,
}

/// Answer of `GET /v1/znodes/{path}?children`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ChildList {
    pub path: String,
    /// The newest change that the answer rests on.
    pub zxid: i64,
    /// Names, in their order as text.
    pub children: Vec<String>,
    pub stat: ZnodeStat,
}
