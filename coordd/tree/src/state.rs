//! The state of one member, equal on every member at the same zxid.

use coordd_proto::{Acl, Perms, Zxid};

use crate::acl::AclView;
use crate::apply;
use crate::command::Command;
use crate::digest::Hash;
use crate::effects::Moment;
use crate::members::{MemberRow, config_text, with_election_ports};
use crate::origins::Origins;
use crate::outcome::{Change, Outcome};
use crate::quota::{QuotaExceeded, Quotas};
use crate::reaping::Reaping;
use crate::sessions::Sessions;
use crate::undo::Undo;
use crate::znode::znodes::NewNode;
use crate::znode::{NodeId, Owner, Znodes};

/// The level that this release understands: everything that it does. A new ensemble starts at 0, whatever releases form
/// it, and the log raises it.
pub const FEATURE_LEVEL: u32 = 3;

/// From this level on a znode knows the zxid at which its access control list was replaced (ADR 0005).
pub(crate) const ACL_ZXIDS: u32 = 2;

/// From this level on each server of `/zookeeper/config` has two ports that differ, as ZooKeeper's parsers demand.
pub(crate) const ELECTION_PORTS: u32 = 3;

const CONFIG: &str = "/zookeeper/config";

#[derive(Debug)]
pub struct State {
    pub(crate) znodes: Znodes,
    pub(crate) sessions: Sessions,
    pub(crate) origins: Origins,
    pub(crate) quotas: Quotas,
    pub(crate) reaping: Reaping,
    /// What the newest command exceeded; no part of what is replicated.
    pub(crate) exceeded: Option<QuotaExceeded>,
    /// While a multi runs: how to take back what it did.
    pub(crate) undo: Option<Vec<Undo>>,
    pub(crate) data_size: u64,
    pub(crate) last_zxid: Zxid,
    pub(crate) last_time_ms: i64,
    pub(crate) zxid_base: i64,
    pub(crate) feature_level: u32,
}

impl Default for State {
    fn default() -> Self {
        State::new()
    }
}

impl State {
    /// A new ensemble's: `/`, `/zookeeper` and what stands in it, all of no zxid and no time.
    pub fn new() -> State {
        let mut state = State::with_znodes(Znodes::new());
        let readable = AclView::new(vec![Acl::world(Perms::READ)]);
        let zookeeper = state.add_system_node(NodeId::ROOT, "/zookeeper", &AclView::OPEN);
        let config = state.add_system_node(zookeeper, CONFIG, &readable);
        state.znodes.update(config, |config| config.aversion = -1);
        state.add_system_node(zookeeper, "/zookeeper/quota", &AclView::OPEN);
        state
    }

    pub(crate) fn with_znodes(znodes: Znodes) -> State {
        State {
            znodes,
            sessions: Sessions::default(),
            origins: Origins::default(),
            quotas: Quotas::default(),
            reaping: Reaping::default(),
            exceeded: None,
            undo: None,
            data_size: 0,
            last_zxid: Zxid::ZERO,
            last_time_ms: 0,
            zxid_base: 0,
            feature_level: 0,
        }
    }

    fn add_system_node(&mut self, parent: NodeId, path: &str, acl: &AclView) -> NodeId {
        let name = path.rsplit('/').next().unwrap_or_default().as_bytes();
        let (data, owner) = (Some(&b""[..]), Owner::NOBODY);
        let id = self.znodes.insert(&NewNode { parent, name, data, acl, owner, zxid: Zxid::ZERO, time_ms: 0 });
        self.appeared(id, path);
        id
    }

    /// Applies one command of the log as `zxid`; what it changed is appended to `changes`.
    pub fn apply(&mut self, zxid: Zxid, command: &Command, changes: &mut Vec<Change>) -> Outcome {
        self.last_zxid = zxid;
        self.exceeded = None;
        if let Err(refusal) = self.origins.accept(command.origin) {
            return Outcome::Refused(refusal);
        }
        self.last_time_ms = self.last_time_ms.max(command.time_ms);
        apply::run(self, zxid, command, changes)
    }

    /// The quota that the command applied last exceeds, the newest if there are several; whether it was refused for it
    /// is another matter. To be asked once.
    pub fn take_exceeded(&mut self) -> Option<QuotaExceeded> {
        self.exceeded.take()
    }

    /// Applies a membership: exactly `members` may propose from now on, and clients read them in `/zookeeper/config`.
    pub fn apply_membership(&mut self, zxid: Zxid, members: &[MemberRow], changes: &mut Vec<Change>) {
        self.last_zxid = zxid;
        self.origins.set_members(members.iter().map(|row| row.id));
        if let Some(config) = self.znodes.find(CONFIG) {
            let text = config_text(members, zxid, self.feature_level);
            let at = Moment { zxid, time_ms: self.last_time_ms };
            // ZooKeeper's version of this znode is always -1 in an ensemble.
            self.set_node(at, config, CONFIG, Some(text.as_bytes()), -1, changes);
        }
    }

    /// Lifts the feature level; what an older one wrote otherwise is written anew.
    pub(crate) fn raise_feature_level(&mut self, at: Moment, level: u32, changes: &mut Vec<Change>) {
        let before = self.feature_level;
        self.feature_level = before.max(level);
        let renews = before < ELECTION_PORTS && self.feature_level >= ELECTION_PORTS;
        if renews && let Some(config) = self.znodes.find(CONFIG) {
            let text = String::from_utf8_lossy(self.znodes.get(config).data().unwrap_or_default()).into_owned();
            self.set_node(at, config, CONFIG, Some(with_election_ports(&text, at.zxid).as_bytes()), -1, changes);
        }
    }

    /// Applies an entry that asks for nothing.
    pub fn noop(&mut self, zxid: Zxid) {
        self.last_zxid = zxid;
    }

    /// Takes sessions out as a bad snapshot would.
    #[cfg(feature = "planted")]
    pub fn forget_every_other_session(&mut self) {
        self.sessions.forget_every_other();
    }

    pub fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    /// The newest time that a command carried, milliseconds since the Unix epoch.
    pub fn last_time_ms(&self) -> i64 {
        self.last_time_ms
    }

    /// What is added to an entry's log index to get its zxid.
    pub fn zxid_base(&self) -> i64 {
        self.zxid_base
    }

    /// Lifts the base of zxids outside the log: at bootstrap, restore and recover, before anything is applied.
    pub fn raise_zxid_base(&mut self, base: i64) {
        self.zxid_base = self.zxid_base.max(base);
    }

    pub fn feature_level(&self) -> u32 {
        self.feature_level
    }

    /// The last accepted (boot, seq) of a member; `None` if it is none. A member that proposed nothing yet is at (0,
    /// 0).
    pub fn origin_last(&self, member: u64) -> Option<(u32, u64)> {
        self.origins.last(member)
    }

    /// Equal on all members at one zxid, or one of them is wrong.
    pub fn digest(&self) -> u64 {
        let scalars = Hash::new(5)
            .signed(self.last_zxid.0)
            .signed(self.last_time_ms)
            .signed(self.zxid_base)
            .word(u64::from(self.feature_level));
        let scalars = self.origins.fold(scalars).finish();
        self.znodes.digest().wrapping_add(self.sessions.digest()).wrapping_add(scalars)
    }
}
