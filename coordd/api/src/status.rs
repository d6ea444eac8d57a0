//! What one member says of itself to whoever runs it.

use serde::{Deserialize, Serialize};

use crate::ensemble::{EnsembleView, MemberRole};

/// Answer of `GET /admin/v1/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AdminStatus {
    pub name: String,
    /// Version of the running program.
    pub version: String,
    /// Unique for all time; `null` until the member belongs to an ensemble.
    pub node_id: Option<u64>,
    pub role: MemberRole,
    pub last_log_index: u64,
    /// Term of the last entry; `ensemble.term` is that of the vote. Who has the highest of this, then the highest
    /// `last_log_index`, knows most. Releases before do not tell it.
    #[serde(default)]
    pub last_log_term: Option<u64>,
    pub committed_index: u64,
    pub applied_index: u64,
    /// Level of the replicated state, raised once every voter understands it.
    #[serde(default)]
    pub feature_level: u32,
    /// Why clients are not served now, in words; `null` when they are.
    pub not_serving: Option<String>,
    pub ensemble: EnsembleView,
}
