//! Why something is not done, and what a person can do about it.
//!
//! Rule: a hold has one reason, which is part of the API (conditions and events show it), and a message that says what
//! to do. Reason: an operator that waits in silence is taken for broken.

use std::fmt;

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
            | Reason::QuorumUnknown => Weight::Waiting,
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
            | Reason::VolumeGoing => Weight::Stuck,
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
}
