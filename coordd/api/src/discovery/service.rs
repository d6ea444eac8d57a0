//! Services and their instances, as read from registrations.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How registrations are written. The names are those of `?format=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Curator's ServiceDiscovery; Spring Cloud ZooKeeper and Dubbo 3 write the same.
    Curator,
    /// ServerSets of Finagle and Twitter Commons.
    ServerSet,
    /// Dubbo's providers of one interface: a URL in the znode's name.
    Dubbo,
    /// Nerve of SmartStack.
    Nerve,
    /// Kafka's brokers.
    Kafka,
    /// `host:port`, a URL, or HBase's `host,port,startcode`, as data or as name.
    HostPort,
    /// Any JSON, with paths to what is wanted in it.
    Json,
}

/// Whether an instance is to be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// It takes calls.
    Up,
    /// Registered, and not to be called yet.
    Starting,
    /// It ends: calls under way may finish, new ones go elsewhere.
    Stopping,
    /// Taken out of service, or reported as broken by itself.
    Down,
}

/// One registered instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Instance {
    /// As it calls itself; else the name of its znode.
    pub id: String,
    /// An IP address in its canonical form, without brackets, or a host name.
    pub address: String,
    /// 1 to 65535 each; `default` and `secure` where the registration gives them no name. May be empty.
    pub ports: BTreeMap<String, u16>,
    pub state: InstanceState,
    /// Where it runs, if it says so.
    pub zone: Option<String>,
    /// Its share of the calls, 0 or more, in the registrar's own scale.
    pub weight: Option<f64>,
    /// What else it says of itself. A port at another address than its own stands here as `endpoint.NAME`.
    pub metadata: BTreeMap<String, String>,
    /// The znode that holds the registration.
    pub znode: String,
    /// The zxid at which it was registered.
    pub since: i64,
}

/// A znode among the registrations that is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Rejected {
    pub znode: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Answer of `GET /v1/services/{path}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ServiceView {
    pub path: String,
    /// How it was read; of `auto`, what the content decided; `null` when nothing there tells.
    pub format: Option<Format>,
    /// The newest change that the answer rests on.
    pub zxid: i64,
    /// Those that pass the filters, by id, then by znode.
    pub instances: Vec<Instance>,
    /// By znode. Filters do not apply to them.
    pub rejected: Vec<Rejected>,
}

/// A child of a base path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ServiceEntry {
    /// The znode's name; decoded where Dubbo has URL-encoded it.
    pub name: String,
    /// The znode's, to be asked for with `/v1/services` after it is URL-encoded: a `%` in it is `%25`.
    pub path: String,
    /// How many children it has; `null` when the caller may not read it.
    pub children: Option<u32>,
}

/// Answer of `GET /v1/services/{path}?list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ServiceList {
    pub path: String,
    /// The newest change that the answer rests on.
    pub zxid: i64,
    /// By name.
    pub services: Vec<ServiceEntry>,
}
