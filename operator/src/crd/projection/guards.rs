//! What protects those who call from what may go wrong with registrations.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::crd::Span;

/// Guards of a projection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Guards {
    /// What becomes of the endpoints when nothing is registered any more: Keep (they stay until something is) or Drain
    /// (they go after emptyGrace). Also for a subtree of configuration, and for the Service of a child that is gone. An
    /// election is followed at once. Default: Keep.
    pub empty_policy: EmptyPolicy,
    /// How long endpoints stay that went with all others, or with more than half of the most that were there within
    /// this time: after a fault of the ensemble all sessions may end, at once or one after the other, and come again.
    /// Default: 60s.
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "duration(self) <= duration('1h')",
        "message": "guards.emptyGrace must be at most 1h: so long what is dead would be called"
    }]))]
    pub empty_grace: Span,
    /// Whether a loss of more than half of the endpoints within emptyGrace is held for as long. Default: true.
    pub hold_half_empty: bool,
    /// Number of endpoints (addresses with their ports), 0 to 1000: as long as fewer are registered none is taken away.
    /// Not of a child of the path that is gone. Default: 0.
    #[schemars(range(min = 0, max = 1000))]
    pub min_endpoints: i32,
    /// Networks such as 10.0.0.0/8 or fd00::/8 that endpoints may be in; instances elsewhere are rejected. Loopback,
    /// link-local (with the clouds' metadata services), multicast and unspecified addresses are always rejected; so
    /// are, as far as the operator may read them, those of nodes, of the API server and in networks of Services
    /// (Kubernetes 1.33 or later), those of Services in namespaces with projections, the one under which pods call the
    /// API server, and those that the operator's own options forbid. Default: the private networks 10.0.0.0/8,
    /// 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10 and fc00::/7.
    #[serde(rename = "allowedCIDRs")]
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-validations" = [{
        "rule": "self.all(each, isCIDR(each))",
        "message": "guards.allowedCIDRs must be networks such as 10.0.0.0/8 or fd00::/8"
    }]), inner(length(max = 43)))]
    pub allowed_cidrs: Vec<String>,
    /// Number of Services at most, 1 to 1000, of a projection with a nameTemplate; the others are rejected. Those of
    /// children that are gone count as long as they are kept; none that is there goes because of it. Default: 200.
    #[schemars(range(min = 1, max = 1000))]
    pub max_services: i32,
    /// How long the ensemble may be out of reach before Synced is Unknown; the endpoints stay in any case. Default: 5m.
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "duration(self) >= duration('10s')",
        "message": "guards.staleAfter must be at least 10s: members are restarted now and then"
    }]))]
    pub stale_after: Span,
}

/// The networks that nobody routes on the Internet.
pub(crate) const PRIVATE_NETWORKS: [&str; 5] =
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"];

impl Default for Guards {
    fn default() -> Guards {
        Guards {
            empty_policy: EmptyPolicy::Keep,
            empty_grace: Span::new("60s"),
            hold_half_empty: true,
            min_endpoints: 0,
            allowed_cidrs: PRIVATE_NETWORKS.map(str::to_owned).into(),
            max_services: 200,
            stale_after: Span::new("5m"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EmptyPolicy {
    Keep,
    Drain,
}
