//! What a member answered about itself.
//!
//! Rule: an answer says what that member believes; what is true of the ensemble is what a majority of its voters say
//! (`plan/quorum`). Reason: a leader that was cut off goes on believing for two seconds that it leads.

/// How asking a pod's member went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// There is no address to ask yet.
    NotYet,
    /// No answer; why. It may be well and unreachable from here.
    Silent(String),
    /// It answered that the operator's token is not its own.
    WrongToken,
    Answered(Box<Answer>),
}

impl Asked {
    pub fn answer(&self) -> Option<&Answer> {
        match self {
            Asked::Answered(answer) => Some(answer),
            Asked::NotYet | Asked::Silent(_) | Asked::WrongToken => None,
        }
    }
}

/// `GET /admin/v1/status`, without what no plan needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The name that it was started with; the pod's.
    pub name: String,
    pub version: String,
    /// `None` until it belongs to an ensemble.
    pub node_id: Option<u64>,
    pub ensemble_id: Option<String>,
    /// Whether its disk holds a part of consensus: a member that has an identity and no log was adopted and has not
    /// heard of the ensemble yet.
    pub has_log: bool,
    /// Term and index of its last entry: who has the highest knows most. `None` where its release does not tell.
    pub last_log: Option<(u64, u64)>,
    pub part: Part,
    pub term: u64,
    /// Whom it follows.
    pub leader: Option<u64>,
    /// Log index of the membership that `peers` shows.
    pub membership_index: u64,
    pub peers: Vec<Peer>,
    pub feature_level: u32,
    /// Why it does not serve clients, in its own words.
    pub not_serving: Option<String>,
}

/// The part that a member says it plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Leader,
    Candidate,
    Follower,
    Learner,
    Unformed,
}

/// One row of the membership that a member knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub id: u64,
    pub name: String,
    pub voter: bool,
    /// Entries behind the leader; known to the leader alone.
    pub lag: Option<u64>,
}
