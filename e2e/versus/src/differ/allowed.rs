//! The differences between ZooKeeper and coordd that are wanted: each has a name, a kind and a reason; all others are
//! defects.
//!
//! ```text
//!   generate.rs, side.rs, mod.rs   would ask for it ─► left out, counted   ─┐
//!   compare.rs                     finds the two unlike ─► passed, counted ─┴─► printed at the end of a run
//! ```
//!
//! Rule: an entry is named by the very line that makes the allowance, and a test demands that each is made use of.
//! Reason: a list that stands beside the code says what somebody once believed.

use std::collections::BTreeMap;

use clap::ValueEnum;

/// A wanted difference; its name on the outside is that of the variant in small letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Allowed {
    ZxidOfAttach,
    Zxids,
    SessionIds,
    Times,
    OrderOfChildren,
    OrderOfEphemerals,
    OrderOfAcl,
    OrderOfIdentities,
    OrderOfClosing,
    Overtaking,
    BehindSetAcl,
    StrangerBesideOwner,
    DeleteContainer,
    CreateSession,
    TtlThatEndsServers,
    UnreadableWrite,
    WatchOfNull,
    Config,
    Quotas,
    Reaping,
}

/// How it is dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// coordd's answers differ by exactly what the entry says.
    AnswersDiffer,
    /// What the two say agrees by another measure than equality.
    ByRelation,
    /// Nobody asks for it: it would part the two for good, or its outcome is chance in ZooKeeper itself.
    NotAsked,
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Kind::AnswersDiffer => "answers differ",
            Kind::ByRelation => "compared by relation",
            Kind::NotAsked => "not asked",
        }
    }
}

impl Allowed {
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    pub fn kind(self) -> Kind {
        use Allowed::*;
        match self {
            ZxidOfAttach => Kind::AnswersDiffer,
            Zxids | SessionIds | Times => Kind::ByRelation,
            OrderOfChildren | OrderOfEphemerals | OrderOfAcl | OrderOfIdentities | OrderOfClosing => Kind::ByRelation,
            Overtaking | BehindSetAcl | StrangerBesideOwner | DeleteContainer | CreateSession => Kind::NotAsked,
            TtlThatEndsServers | UnreadableWrite | WatchOfNull | Config | Quotas | Reaping => Kind::NotAsked,
        }
    }

    pub fn reason(self) -> &'static str {
        use Allowed::*;
        match self {
            ZxidOfAttach => {
                "attaching a session again is an entry of the log, so that a stale connection is refused everywhere \
                 (D6)"
            }
            Zxids => "each counts from its own base: one to one, in the same order, and always as far apart",
            SessionIds => "each makes its own ids and passwords: the same id wherever the other has the same session",
            Times => "each reads its own clock: within two minutes, and 0 only where the other is 0",
            OrderOfChildren => "getChildren promises none; ZooKeeper's is that of a hash set",
            OrderOfEphemerals => "getEphemerals promises none; ZooKeeper's is that of a hash set",
            OrderOfAcl => "\"auth\" becomes the identities of the connection, which ZooKeeper keeps in a hash set",
            OrderOfIdentities => "whoAmI promises none; ZooKeeper keeps the identities in a hash set",
            OrderOfClosing => "the ephemerals of a closed session go at one zxid, in ZooKeeper as a hash set has them",
            Overtaking => {
                "in ZooKeeper UNIMPLEMENTED and a failed auth overtake the replies before them, in coordd only auth: \
                 each is sent alone"
            }
            BehindSetAcl => {
                "ZooKeeper checks what is pipelined behind a setACL by the old list or by the new, as it comes"
            }
            StrangerBesideOwner => {
                "ZooKeeper ends the owner's connection when a stranger tries its session with a wrong password; coordd \
                 does not, since whoever knows a session id could cut off its owner"
            }
            DeleteContainer => "ZooKeeper deletes any empty znode by it, past its ACL; coordd refuses it (ADR 0004)",
            CreateSession => "ZooKeeper takes it from a client, past the handshake; coordd refuses it (ADR 0004)",
            TtlThatEndsServers => {
                "a ttl of 0, or a negative one without a TTL mode: ZooKeeper 3.9.5 logs it, fails to apply it, and \
                 every server ends; coordd answers BADARGUMENTS"
            }
            UnreadableWrite => {
                "to an ensemble: ZooKeeper 3.9.5 gives a write whose record is cut, or a multi with a setACL or a \
                 create without an ACL, the last zxid again and never commits anything any more"
            }
            WatchOfNull => "a null path is an empty one to coordd, and to ZooKeeper a third that nobody has",
            Config => {
                "a ZooKeeper that runs alone leaves /zookeeper/config empty, and each names its own addresses in it"
            }
            Quotas => "coordd enforces them always and exactly; ZooKeeper's are off, and pipelined writes overshoot",
            Reaping => {
                "the moment is each server's own, so it is off on both; what becomes of containers and TTLs is in \
                 e2e/clients/java/src/Special.java, which runs against either"
            }
        }
    }
}

/// How often each entry was made use of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses(BTreeMap<Allowed, usize>);

impl Uses {
    pub fn count(&mut self, allowed: Allowed) {
        *self.0.entry(allowed).or_default() += 1;
    }

    pub fn add(&mut self, other: &Uses) {
        for (allowed, times) in &other.0 {
            *self.0.entry(*allowed).or_default() += times;
        }
    }

    pub fn of(&self, allowed: Allowed) -> usize {
        self.0.get(&allowed).copied().unwrap_or(0)
    }

    /// A line for every entry, used or not.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        Allowed::value_variants().iter().map(|allowed| {
            let (kind, name, times) = (allowed.kind().words(), allowed.name(), self.of(*allowed));
            format!("allowed ({kind}): {name}, {times} times: {}", allowed.reason())
        })
    }
}
