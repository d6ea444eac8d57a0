//! What `operator run` is told: by flags, or by environment variables as the chart does.

use std::net::SocketAddr;

use clap::Args;

use super::fail_point::FailPoint;
use super::log::Format;
use super::projections::Bounds;
use crate::plan::Operator;
use crate::projection::Cidr;

/// Every release of coordd that this operator can run, with the highest feature level that it understands. A release
/// adds a line and takes none away lightly: a cluster that names no version keeps the one that it was founded with.
const RELEASES: [(&str, u32); 1] = [("0.1.0", 3)];

/// Run the operator.
#[derive(Args, Clone, Debug)]
pub struct Run {
    /// Namespaces whose clusters are kept, comma-separated; all when empty.
    #[arg(long, env = "COORDD_OPERATOR_NAMESPACES", value_delimiter = ',', value_name = "NAMES")]
    namespaces: Vec<String>,
    /// Namespace of the operator itself, where its Lease is.
    #[arg(long, env = "POD_NAMESPACE", default_value = "default", value_name = "NAME")]
    pub(super) operator_namespace: String,
    /// Name of this replica, its pod's; unique among those that share the Lease.
    #[arg(long, env = "POD_NAME", default_value = "operator", value_name = "NAME")]
    pub(super) identity: String,
    /// Name of the Lease that the replicas share.
    #[arg(long, env = "COORDD_OPERATOR_LEASE", default_value = "coordd-operator", value_name = "NAME")]
    pub(super) lease: String,
    /// Where /livez, /readyz and /metrics are served.
    #[arg(long, env = "COORDD_OPERATOR_LISTEN", default_value = "0.0.0.0:8080", value_name = "ADDRESS")]
    pub(super) listen: SocketAddr,
    /// Repository of coordd's image; its tag is the version.
    #[arg(long, env = "COORDD_OPERATOR_IMAGE_REPOSITORY", default_value = "coordd/coordd", value_name = "NAME")]
    image_repository: String,
    /// Version that clusters are founded with when their spec names none.
    #[arg(long, env = "COORDD_OPERATOR_DEFAULT_VERSION", default_value = env!("CARGO_PKG_VERSION"))]
    default_version: String,
    /// More versions of coordd that may be run, as VERSION=FEATURE_LEVEL, comma-separated.
    #[arg(long, env = "COORDD_OPERATOR_VERSIONS", value_delimiter = ',', value_parser = version, value_name = "LIST")]
    versions: Vec<(String, u32)>,
    /// Whether ServiceProjections are kept; its rights and its CRD are needed for that.
    #[arg(long, env = "COORDD_OPERATOR_PROJECTIONS", default_value_t = true, action = clap::ArgAction::Set,
        value_name = "BOOL")]
    pub(super) projections: bool,
    /// Networks that endpoints of projections may be in at most, whatever they allow, comma-separated; all when empty.
    #[arg(long, env = "COORDD_OPERATOR_PROJECTION_ALLOWED_CIDRS", value_delimiter = ',', value_parser = network,
        value_name = "NETWORKS")]
    projection_allowed_cidrs: Vec<Option<Cidr>>,
    /// Networks that endpoints of projections are never in, such as those of Services and of the API server,
    /// comma-separated.
    #[arg(long, env = "COORDD_OPERATOR_PROJECTION_DENIED_CIDRS", value_delimiter = ',', value_parser = network,
        value_name = "NETWORKS")]
    projection_denied_cidrs: Vec<Option<Cidr>>,
    /// Whether endpoints of projections may be at nodes, as instances of the host's network are: then whoever may
    /// register one may send callers to what runs on the nodes themselves.
    #[arg(long, env = "COORDD_OPERATOR_PROJECTION_ALLOW_NODE_ADDRESSES", default_value_t = false,
        action = clap::ArgAction::Set, value_name = "BOOL")]
    projection_allow_node_addresses: bool,
    /// Where the API server is, as Kubernetes tells every pod: no endpoint of a projection is ever there.
    #[arg(long, env = "KUBERNETES_SERVICE_HOST", hide = true)]
    api_server: Option<String>,
    /// What is logged: error, warn, info or debug.
    #[arg(long, env = "COORDD_OPERATOR_LOG_LEVEL", default_value = "info",
        value_parser = ["error", "warn", "info", "debug"])]
    pub(super) log_level: String,
    /// How it is logged.
    #[arg(long, env = "COORDD_OPERATOR_LOG_FORMAT", value_enum, default_value = "text")]
    pub(super) log_format: Format,
    /// For tests: end the process at this write (`fail_point`).
    #[arg(long, env = "COORDD_OPERATOR_FAIL_AT", hide = true)]
    pub(super) fail_at: Option<FailPoint>,
}

/// `None` for the empty word, as which a chart writes an empty list.
fn network(text: &str) -> Result<Option<Cidr>, String> {
    let text = text.trim();
    if text.is_empty() { Ok(None) } else { text.parse().map(Some) }
}

fn version(text: &str) -> Result<(String, u32), String> {
    let (version, level) = text.split_once('=').ok_or_else(|| format!("{text:?} must be VERSION=FEATURE_LEVEL"))?;
    let level = level.parse().map_err(|_| format!("{level:?} is no feature level"))?;
    Ok((version.to_owned(), level))
}

impl Run {
    /// What is watched: each namespace, or all at once.
    pub(super) fn scopes(&self) -> Vec<Option<String>> {
        let mut named: Vec<_> =
            self.namespaces.iter().map(|name| name.trim()).filter(|name| !name.is_empty()).collect();
        named.sort_unstable();
        named.dedup();
        if named.is_empty() { vec![None] } else { named.into_iter().map(|name| Some(name.to_owned())).collect() }
    }

    pub(super) fn bounds(&self) -> Bounds {
        let all = |networks: &[Option<Cidr>]| networks.iter().flatten().copied().collect();
        Bounds {
            allowed: all(&self.projection_allowed_cidrs),
            denied: all(&self.projection_denied_cidrs),
            // It may be a name, where it has no address of its own in the cluster.
            api_server: self.api_server.as_ref().and_then(|host| host.parse().ok()),
            at_nodes: self.projection_allow_node_addresses,
        }
    }

    pub(super) fn operator(&self) -> Operator {
        let releases = RELEASES.iter().map(|(version, level)| ((*version).to_owned(), *level));
        Operator {
            default_version: self.default_version.clone(),
            image_repository: self.image_repository.clone(),
            versions: releases.chain(self.versions.iter().cloned()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        run: Run,
    }

    fn run(args: &[&str]) -> Run {
        Line::try_parse_from(["operator"].iter().chain(args)).unwrap().run
    }

    #[test]
    fn without_namespaces_all_are_watched() {
        assert_eq!(run(&[]).scopes(), [None]);
        assert_eq!(run(&["--namespaces", ""]).scopes(), [None], "as a chart writes an empty list");
        let scopes = run(&["--namespaces", "b, a,b"]).scopes();
        assert_eq!(scopes, [Some("a".to_owned()), Some("b".to_owned())]);
    }

    #[test]
    fn networks_of_projections_are_lists_that_may_be_empty() {
        let bounds =
            run(&["--projection-allowed-cidrs", "", "--projection-denied-cidrs", "10.0.0.0/16, fd00::/8"]).bounds();
        assert_eq!((bounds.allowed.len(), bounds.denied.len()), (0, 2));
        assert!(network("10.0.0.0").is_err());
        let bounds = run(&["--api-server", "10.96.0.1"]).bounds();
        assert_eq!(bounds.api_server.map(|ip| ip.to_string()).as_deref(), Some("10.96.0.1"));
        assert!(!bounds.at_nodes && run(&["--projection-allow-node-addresses", "true"]).bounds().at_nodes);
        assert!(run(&[]).projections && !run(&["--projections", "false"]).projections);
    }

    #[test]
    fn the_releases_and_what_is_listed_are_the_known_versions() {
        let operator = run(&["--versions", "0.0.9=1,0.2.0=3"]).operator();
        assert_eq!(operator.versions.len(), RELEASES.len() + 2);
        assert_eq!(operator.versions[RELEASES.len() + 1], ("0.2.0".to_owned(), 3));
        assert!(RELEASES.iter().any(|(version, _)| *version == operator.default_version), "this release is among them");
        assert!(version("0.2.0").is_err());
    }
}
