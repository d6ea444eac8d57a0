//! Why something is not done, and what a person can do about it.
//!
//! Rule: a hold has one reason, which is part of the API (conditions and events show it), and a message that says what
//! to do. Reason: an operator that waits in silence is taken for broken.

use std::cmp::Reverse;
use std::fmt;
use std::time::Duration;

/// How a hold is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// All is as the user wants it (paused, hibernated, being deleted).
    Wanted,
    /// It will pass by itself.
    Waiting,
    /// It may be meant, and is worth a word.
    Advice,
    /// A person is needed.
    Stuck,
}

/// Why something is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub reason: Reason,
    pub message: String,
}

/// CamelCase names, as conditions and events show them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    Deleting,
    Paused,
    Hibernated,
    WaitingForPods,
    WaitingForMember,
    LearnerCatchingUp,
    PauseBetween,
    MemberUnreachable,
    QuorumLost,
    QuorumUnknown,
    Electing,
    EvenReplicas,
    HealingDisabled,
    ScaleBlocked,
    RollBlocked,
    RollTimedOut,
    MemberBroken,
    InvalidSpec,
    UnknownVersion,
    DowngradeRefused,
    ForeignObject,
    StaleVolumes,
    ForeignDisk,
    EnsembleLost,
    SecretMismatch,
    RecoverRefused,
    ReplaceRefused,
    VolumeGoing,
    Forbidden,
}

impl Reason {
    pub fn weight(self) -> Weight {
        match self {
            Reason::Deleting | Reason::Paused | Reason::Hibernated => Weight::Wanted,
            Reason::WaitingForPods
            | Reason::WaitingForMember
            | Reason::LearnerCatchingUp
            | Reason::PauseBetween
            | Reason::MemberUnreachable
            | Reason::QuorumUnknown
            | Reason::Electing => Weight::Waiting,
            Reason::EvenReplicas => Weight::Advice,
            Reason::QuorumLost
            | Reason::HealingDisabled
            | Reason::ScaleBlocked
            | Reason::RollBlocked
            | Reason::RollTimedOut
            | Reason::MemberBroken
            | Reason::InvalidSpec
            | Reason::UnknownVersion
            | Reason::DowngradeRefused
            | Reason::ForeignObject
            | Reason::StaleVolumes
            | Reason::ForeignDisk
            | Reason::EnsembleLost
            | Reason::SecretMismatch
            | Reason::RecoverRefused
            | Reason::ReplaceRefused
            | Reason::VolumeGoing
            | Reason::Forbidden => Weight::Stuck,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Hold {
    pub fn new(reason: Reason, message: impl Into<String>) -> Hold {
        Hold { reason, message: message.into() }
    }

    /// The weightiest comes first.
    pub(crate) fn rank(&self) -> (Reverse<Weight>, Reason) {
        (Reverse(self.reason.weight()), self.reason)
    }
}

/// How long something still takes, rounded up so far that the status need not be written at every look.
pub(crate) fn roughly(left: Duration) -> String {
    match left.as_secs() + 1 {
        seconds @ ..=60 => format!("{} s", seconds.div_ceil(10) * 10),
        seconds => format!("{} min", seconds.div_ceil(60)),
    }
}

/// How far a member is behind, rounded up to one digit for the same reason.
pub(crate) fn behind(entries: u64) -> String {
    let unit = 10_u64.pow(entries.max(1000).ilog10());
    format!("up to {} entries behind", entries.max(1).div_ceil(unit) * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_at_every_look_is_told_roughly() {
        let times = [0, 1, 9, 59, 60, 599].map(|seconds| roughly(Duration::from_secs(seconds)));
        assert_eq!(times, ["10 s", "10 s", "10 s", "60 s", "2 min", "10 min"]);
        let lags = [0, 600, 1000, 48_213, 990_000].map(behind);
        let told = ["1000", "1000", "1000", "50000", "1000000"].map(|most| format!("up to {most} entries behind"));
        assert_eq!(lags, told);
    }
}
