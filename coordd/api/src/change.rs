//! What can be asked of an ensemble's leader, and what is answered.
//!
//! Rule: `membership_index` is that of the status by which the change was decided; in an answer, that of the membership
//! which came of it, and the status of whoever answered shows that one.

use serde::{Deserialize, Serialize};

/// Forms a new ensemble of members whose disks are empty. Once: asked again of the same members it answers with what
/// was formed, of others it is refused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Bootstrap {
    /// All first members, the asked one among them; empty for the asked one alone.
    #[serde(default)]
    pub members: Vec<Seat>,
}

/// A member by name and peer address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Seat {
    pub name: String,
    pub peer_addr: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Bootstrapped {
    pub ensemble_id: String,
}

/// Takes the unformed member at `peer_addr` in as a learner. Done already: answers with its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AddMember {
    pub peer_addr: String,
    pub membership_index: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Added {
    pub id: u64,
    pub membership_index: u64,
}

/// Gives a learner that has caught up its vote. Done already: a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Promote {
    pub membership_index: u64,
}

/// The membership has changed; `membership_index` is the new one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Changed {
    pub membership_index: u64,
}

/// Puts the unformed member at `peer_addr` in the place of a member whose disk is lost: the new one learns, catches
/// up, the old one goes, the new one votes if the old one did. May take as long as catching up; asked again on the
/// present membership it goes on where it stands, and once all is done it is a success on any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Replace {
    pub peer_addr: String,
    pub membership_index: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Replaced {
    /// Id of the new member.
    pub id: u64,
    pub membership_index: u64,
}

/// Moves leadership. `to` leads already: a success.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TransferLeader {
    /// Id of the voter to lead; the most advanced one that is up when absent.
    #[serde(default)]
    pub to: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Transferred {
    /// Id of the member that leads now.
    pub leader: u64,
}

/// When a quorum is lost for good: the asked member alone goes on, as a new ensemble with a new id; the others of the
/// old one are refused for ever. What only they had is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Recover {
    /// Name of the asked member, so that nobody asks the wrong one.
    pub survivor: String,
    /// Id of the ensemble that is given up.
    pub ensemble_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Recovered {
    /// Id of the new ensemble.
    pub ensemble_id: String,
}

/// Query of a removal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct Planned {
    pub membership_index: u64,
}

/// Query of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// For a lost quorum: what this member has applied. It may lack the newest of what was acknowledged.
    #[serde(default)]
    pub without_quorum: bool,
}

/// Sends clients and leadership away before the member stops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Drain {
    pub timeout_ms: u64,
}

/// Nobody is served here any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Drained {}
