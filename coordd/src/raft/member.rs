//! One member of an ensemble, from an empty disk on: the handle that the rest of the daemon holds.
//!
//! ```text
//!   open (disk: identity, log, snapshots) ─► unformed ── formation | adoption | bootstrap ──► core runs ─► serving
//!                                               └─ answers probes, says why it waits
//! ```
//!
//! Rule: before there is a core, writes are lost at once (their connections close) and nothing is served. A member that
//! was formed once starts its core at the next start without asking anybody.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;
use tokio::time::timeout;

use coordd_proto::{ErrorCode, SessionId};
use coordd_tree::State;

use super::Timing;
use super::applied::Applied;
use super::core::{Core, Parts};
use super::disks::Disks;
use super::door::Door;
use super::formation::{self, Outlook, StaticList};
use super::identity::DiskIdentity;
use super::membership::{ChangeError, refused, unavailable};
use super::peer::call::{Adoption, Probed};
use super::peer::server;
use super::peer::{Identity, Local, Secret};
use super::status;
use super::{relief, reseed};
use crate::consensus::{self, ApplyHook, BarrierSink, BoxFuture, Consensus, LocalSessions, Meter, Role, Status, Write};
use crate::net::TcpListener;

/// A quorum that is there confirms a read long before, also through an election.
const QUORUM_CONFIRMS_MAX: Duration = Duration::from_secs(3);

/// What a member is told at its start.
pub struct MemberConfig {
    pub name: String,
    /// The static list, if the member was started with one.
    pub ensemble: Option<StaticList>,
    pub advertise_peer: String,
    pub advertise_client: String,
    pub advertise_http: String,
    /// Named to whoever has to repair this ensemble.
    pub admin_addr: String,
    pub secret: Option<Secret>,
    pub timing: Timing,
    pub limits: Limits,
    /// Starts the process anew, shortly after it was called.
    pub restart: Box<dyn Fn() + Send + Sync>,
    /// Ends the process as failed, for its supervisor to start it anew.
    pub fail: Arc<dyn Fn() + Send + Sync>,
}

/// Bounds beyond which the tree stops growing (design D21).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub tree_bytes_max: u64,
    pub disk_bytes_min: u64,
}

pub struct Member {
    pub(crate) config: MemberConfig,
    pub(crate) local: Arc<Local>,
    pub(crate) applied: Arc<Applied>,
    pub(crate) core: OnceLock<Arc<Core>>,
    disks: Disks,
    door: Arc<Door>,
    identity: Mutex<DiskIdentity>,
    hook: Arc<dyn ApplyHook>,
    meter: Arc<dyn Meter>,
    sessions: Arc<dyn LocalSessions>,
    status: watch::Sender<Arc<Status>>,
    starting: tokio::sync::Mutex<()>,
    /// An order to found and a static list, or two orders, do not cross.
    pub(super) founding: tokio::sync::Mutex<()>,
}

impl Member {
    pub fn new(
        config: MemberConfig,
        disks: Disks,
        hook: Arc<dyn ApplyHook>,
        meter: Arc<dyn Meter>,
        sessions: Arc<dyn LocalSessions>,
    ) -> Arc<Member> {
        let local = Arc::new(Local::new(disks.identity.member(), config.secret.clone()));
        let status = watch::Sender::new(Arc::new(unformed_status(&config.name, "starting")));
        Arc::new(Member {
            local,
            applied: Arc::new(Applied::new(State::new())),
            core: OnceLock::new(),
            identity: Mutex::new(disks.identity.clone()),
            door: Arc::new(Door::new(disks.wal.clone(), config.limits.disk_bytes_min)),
            disks,
            hook,
            meter,
            sessions,
            status,
            starting: tokio::sync::Mutex::new(()),
            founding: tokio::sync::Mutex::new(()),
            config,
        })
    }

    /// Serves peers and becomes, or goes on being, part of an ensemble. Returns once consensus runs.
    ///
    /// # Errors
    /// What the disk says when the core cannot start.
    pub async fn start(self: &Arc<Self>, peers: TcpListener) -> io::Result<()> {
        let handler = Arc::new(super::handler::PeerHandler(self.clone()));
        tokio::spawn(server::serve(peers, self.local.clone(), handler));
        if self.local.identity().is_none() || (self.is_lowest() && !self.disks.has_log) {
            let member = self.clone();
            tokio::spawn(async move { member.form().await });
            if self.local.identity().is_none() {
                return Ok(());
            }
        }
        self.start_core().await.map(drop)
    }

    fn is_lowest(&self) -> bool {
        let list = self.config.ensemble.as_ref();
        list.and_then(|list| list.0.keys().next()).is_some_and(|lowest| *lowest == self.config.name)
    }

    pub(crate) fn core(&self) -> Option<&Arc<Core>> {
        self.core.get()
    }

    fn say(&self, why: &str) {
        let next = Arc::new(unformed_status(&self.config.name, why));
        self.status.send_if_modified(|known| {
            let news = known.not_serving != next.not_serving;
            if news {
                tracing::warn!(why, "not part of an ensemble yet");
                *known = next;
            }
            news
        });
    }

    pub(crate) fn probed(&self) -> Probed {
        Probed {
            name: self.config.name.clone(),
            identity: self.local.identity(),
            disk_id: self.disks.identity.disk_id().to_owned(),
            ensemble_list: self.config.ensemble.as_ref().map(StaticList::canonical).unwrap_or_default(),
            has_log: self.has_log(),
            client_addr: self.config.advertise_client.clone(),
            http_addr: self.config.advertise_http.clone(),
            peer_addr: self.config.advertise_peer.clone(),
            admin_addr: self.config.admin_addr.clone(),
        }
    }

    pub(super) fn has_log(&self) -> bool {
        self.disks.has_log || self.applied.position().term > 0 || self.disks.wal.state().last.is_some()
    }

    /// The running core, for those who change the membership.
    ///
    /// # Errors
    /// While this member is not part of an ensemble.
    pub(crate) fn formed(&self) -> Result<Arc<Core>, ChangeError> {
        let unformed = || ChangeError::Unavailable("this member is not part of an ensemble yet".to_owned());
        self.core().cloned().ok_or_else(unformed)
    }

    /// Writes down that this member is to go on alone, and starts the process anew to do so. The new ensemble's id,
    /// also when that is done already.
    ///
    /// # Errors
    /// When the order does not name this member and its ensemble, or a quorum is there.
    pub async fn order_recovery(&self, survivor: &str, ensemble_id: &str) -> Result<String, ChangeError> {
        let identity = self.local.identity().ok_or_else(|| refused("this member is not part of an ensemble"))?;
        if survivor == self.config.name && self.identity.lock().recovered_from() == Some(ensemble_id) {
            return Ok(identity.ensemble_id);
        }
        if survivor != self.config.name || ensemble_id != identity.ensemble_id {
            let (name, id) = (&self.config.name, &identity.ensemble_id);
            return Err(refused(format!("the order is for {survivor} of {ensemble_id}; this is {name} of {id}")));
        }
        if timeout(QUORUM_CONFIRMS_MAX, consensus::caught_up(self)).await.unwrap_or(false) {
            return Err(refused(
                "there is a quorum, and what only the others have would be lost: put new members in the place of those \
                 that do not come back (coordd admin replace), or take them out (coordd admin remove)",
            ));
        }
        let new_id = crate::entropy::random_id().map_err(unavailable)?;
        let node = formation::node_of(&self.config.name, &self.probed());
        let order = reseed::Order { ensemble_id: new_id, node_id: identity.node_id, node };
        let given = reseed::give_order(self.disks.disk.clone(), &self.disks.data_dir, order);
        let new_id = given.map_err(unavailable)?;
        (self.config.restart)();
        Ok(new_id)
    }

    /// The part of formation that an unformed member plays, or the lowest one again after a crash in the midst of it.
    async fn form(self: Arc<Self>) {
        let Some(list) = self.config.ensemble.clone() else {
            self.say("it was started without --ensemble: bootstrap it, or add it to an ensemble (coordd admin add)");
            return;
        };
        let name = self.config.name.clone();
        loop {
            let outlook = formation::agree(&list, &name, &self.local, || self.probed(), |why| self.say(why)).await;
            match outlook {
                Outlook::Formed { by, ensemble_id, admins } if self.local.identity().is_none() => {
                    self.say(&lost_disk(&name, &by, &ensemble_id, &admins, &self.config.advertise_peer));
                }
                Outlook::Agreed(agreed) if self.is_lowest() => {
                    let _alone = self.founding.lock().await;
                    if let Err(error) = self.found(&formation::first_members(&agreed)).await {
                        self.say(&format!("cannot form the ensemble: {error}"));
                    }
                }
                Outlook::Formed { .. } | Outlook::Agreed(_) | Outlook::Differs(_) | Outlook::Waiting(_) => {}
            }
            if self.core().is_some() && (!self.is_lowest() || self.has_log()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Founds an ensemble of `members`, of whom this one has id 1. Safe to repeat after a crash.
    pub(crate) async fn found(self: &Arc<Self>, members: &BTreeMap<u64, super::types::Node>) -> io::Result<()> {
        let me = members.iter().find(|(_, node)| node.name == self.config.name).map_or(1, |(id, _)| *id);
        let ensemble_id = match self.local.identity() {
            Some(identity) => identity.ensemble_id,
            None => crate::entropy::random_id()?,
        };
        let disk_id = self.disks.identity.disk_id().to_owned();
        let order = Adoption { ensemble_id: ensemble_id.clone(), node_id: me, disk_id };
        self.adopt(&order).map_err(io::Error::other)?;
        let ordered = formation::order_adoption(&ensemble_id, &self.config.name, members, &self.local).await;
        ordered.map_err(io::Error::other)?;
        let core = self.start_core().await?;
        if core.raft.is_initialized().await.map_err(io::Error::other)? {
            return Ok(());
        }
        core.raft.initialize(members.clone()).await.map_err(io::Error::other)?;
        tracing::info!(ensemble_id, members = members.len(), "formed an ensemble");
        Ok(())
    }

    /// Writes down who this member is from now on.
    pub(crate) fn adopt(&self, order: &Adoption) -> Result<Identity, String> {
        let has_log = self.has_log();
        let mut identity = self.identity.lock();
        let adopted = formation::adopt(identity.member().as_ref(), identity.disk_id(), has_log, order)?;
        identity.become_member(&adopted).map_err(|error| format!("cannot write the identity: {error}"))?;
        self.local.set_identity(adopted.clone());
        Ok(adopted)
    }

    /// Starts consensus, once; later calls return what runs.
    pub(crate) async fn start_core(self: &Arc<Self>) -> io::Result<Arc<Core>> {
        let _one_at_a_time = self.starting.lock().await;
        if let Some(core) = self.core() {
            return Ok(core.clone());
        }
        let identity = self.local.identity().ok_or_else(|| io::Error::other("not part of an ensemble"))?;
        let parts = Parts {
            identity: identity.clone(),
            boot: self.disks.identity.boot(),
            timing: self.config.timing,
            log: self.disks.log.clone(),
            flushes: self.disks.flushes.clone(),
            snapshots: self.disks.snapshots.clone(),
            applied: self.applied.clone(),
            door: self.door.clone(),
            local: self.local.clone(),
            hook: self.hook.clone(),
            meter: self.meter.clone(),
            sessions: self.sessions.clone(),
            fail: self.config.fail.clone(),
        };
        let core = Arc::new(Core::start(parts).await?);
        let _ = self.core.set(core.clone());
        tokio::spawn(relief::run(core.clone()));
        let (name, status) = (self.config.name.clone(), self.status.clone());
        // Whoever asks from now on does not hear that this disk is nobody's.
        let first = status::observe(&core, &identity.ensemble_id, &name);
        let not_serving = first.not_serving.clone().or_else(|| Some("starting".to_owned()));
        status.send_replace(Arc::new(Status { not_serving, ..first }));
        tokio::spawn(status::publish(core.clone(), identity.ensemble_id, name, self.config.timing.patience, status));
        Ok(core)
    }
}

fn unformed_status(name: &str, why: &str) -> Status {
    Status {
        ensemble_id: None,
        node_id: None,
        name: name.to_owned(),
        role: Role::Unformed,
        term: 0,
        leader: None,
        members: Vec::new(),
        membership_index: 0,
        last_log_index: 0,
        last_log_term: 0,
        committed_index: 0,
        applied_index: 0,
        log_unsynced_bytes: 0,
        feature_level: 0,
        undecided_writes: 0,
        lag: Vec::new(),
        heard: Vec::new(),
        not_serving: Some(why.to_owned()),
    }
}

/// What an operator has to do about a member that came back with an empty disk.
fn lost_disk(name: &str, by: &str, ensemble_id: &str, admins: &[String], peer_addr: &str) -> String {
    let server = if admins.is_empty() { String::new() } else { format!("-s {} ", admins.join(",")) };
    format!(
        "this disk is empty, but member {by} belongs to ensemble {ensemble_id}, which is formed: a lost disk is a new \
         member. Where the others' admin ports are reached run: coordd admin {server}replace {name} --peer-addr \
         {peer_addr}"
    )
}

impl Consensus for Member {
    fn propose(&self, writes: &mut Vec<Write>) {
        match self.core() {
            Some(core) => core.proposer.propose(writes),
            None => writes.drain(..).for_each(|write| write.sink.lost()),
        }
    }

    fn barrier(&self, sink: Arc<dyn BarrierSink>) {
        match self.core() {
            Some(core) => core.barriers.ask(sink),
            None => sink.lost(),
        }
    }

    fn state(&self) -> &RwLock<State> {
        &self.applied.state
    }

    fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.status.subscribe()
    }

    fn has_room(&self) -> bool {
        self.core().is_none_or(|core| core.proposer.has_room())
    }

    fn room(&self) -> BoxFuture<()> {
        let core = self.core().cloned();
        Box::pin(async move {
            if let Some(core) = core {
                core.proposer.room().await;
            }
        })
    }

    fn may_answer(&self) -> bool {
        self.core().is_some_and(|core| core.gate.is_open())
    }

    fn answerable(&self) -> BoxFuture<()> {
        let core = self.core().cloned();
        Box::pin(async move {
            match core {
                Some(core) => core.gate.open().await,
                None => std::future::pending().await,
            }
        })
    }

    fn refused(&self, grows: bool) -> Option<ErrorCode> {
        let short_of_disk = || self.door.is_short() || self.door.most_are_short();
        let short_of_memory = || self.applied.tree_bytes() > self.config.limits.tree_bytes_max;
        let refused = self.door.is_shut() || (grows && (short_of_disk() || short_of_memory()));
        refused.then_some(ErrorCode::SystemError)
    }

    fn expiries(&self) -> Option<Vec<(SessionId, u64)>> {
        self.core().and_then(|core| core.desk.expiries())
    }
}
