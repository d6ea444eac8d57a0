//! Who is in the ensemble, as one member sees it; what `/v1/ensemble` answers.

use serde::{Deserialize, Serialize};

/// The ensemble as the answering member knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EnsembleView {
    /// `null` until the member belongs to an ensemble.
    pub ensemble_id: Option<String>,
    /// Id of the leader, if one is known.
    pub leader: Option<u64>,
    pub term: u64,
    /// Log index of the membership that `members` shows.
    pub membership_index: u64,
    /// Client addresses of all members, as a ZooKeeper connection string.
    pub connect_string: String,
    pub members: Vec<MemberView>,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MemberView {
    pub id: u64,
    pub name: String,
    pub role: MemberRole,
    /// Log entries that it is behind the leader; known to the leader alone.
    pub lag: Option<u64>,
    pub addresses: Addresses,
    /// Random identity of its disk, where the answering member knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_id: Option<String>,
}

/// The part that a member plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum MemberRole {
    Leader,
    /// A voter that stands for election.
    Candidate,
    /// A voter that does not lead.
    Follower,
    /// Without a vote.
    Learner,
    /// Not a member of any ensemble yet.
    Unformed,
}

/// Where a member is reached, as `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Addresses {
    pub peer: String,
    pub client: String,
    pub http: String,
}

impl EnsembleView {
    pub fn member(&self, id: u64) -> Option<&MemberView> {
        self.members.iter().find(|member| member.id == id)
    }

    pub fn leading(&self) -> Option<&MemberView> {
        self.leader.and_then(|id| self.member(id))
    }
}
