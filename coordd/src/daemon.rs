//! The composition root: what a member is made of, in the order in which it starts and stops.
//!
//! ```text
//!   disk (lock, identity, log, snapshots) ─► hub ─► member ─► peer port ─► client port ─► HTTP, admin
//!   SIGTERM: not ready any more ─► leadership handed over ─► client connections closed in slices ─► end
//! ```
//!
//! Rule: this is the only file that knows every component; each gets its own part of the configuration and the seam
//! `Consensus`, nothing else.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use coordd_wal::Disk;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::consensus::{Consensus, Meter};
use crate::http::{self, Draining, Http};
use crate::ops::{self, Ops};
use crate::raft::Timing;
use crate::raft::disks::{DiskConfig, Disks};
use crate::raft::formation::StaticList;
use crate::raft::member::{Limits, Member, MemberConfig};
use crate::raft::peer::Secret;
use crate::raft::snapshot_store::SnapshotPolicy;
use crate::server::{AllowList, Hub, Scheme, Server, ServerConfig};
use crate::{admin, descriptors, leader_tasks, planted};

/// Long enough for an answer to leave.
const RESTART_PAUSE: Duration = Duration::from_millis(300);

/// A member with everything that listens.
pub struct Daemon {
    pub member: Arc<Member>,
    pub server: Arc<Server>,
    draining: Draining,
    config: Config,
}

fn timing(config: &Config) -> Timing {
    Timing {
        heartbeat: config.raft.heartbeat,
        election_min: config.raft.election_min,
        election_max: config.raft.election_max,
        session_min: config.client.min_session_timeout,
        patience: config.raft.leader_patience,
        log_keep_entries: config.storage.log_keep_entries,
    }
}

fn disk_config(config: &Config, meter: Arc<dyn Meter>) -> DiskConfig {
    DiskConfig {
        wal: coordd_wal::Options {
            mode: if cfg!(feature = "sim") { coordd_wal::Mode::Inline } else { coordd_wal::Mode::Threads },
            segment_bytes: config.storage.log_segment_bytes,
            cache_bytes: config.storage.log_cache_bytes,
            min_free_bytes: config.limits.min_free_bytes,
            ..coordd_wal::Options::default()
        },
        snapshots: SnapshotPolicy {
            entries: config.storage.snapshot_entries,
            log_bytes: config.storage.snapshot_log_bytes,
        },
        meter,
    }
}

fn member_config(config: &Config) -> MemberConfig {
    MemberConfig {
        name: config.name.clone(),
        ensemble: config.ensemble.clone().map(StaticList),
        advertise_peer: config.advertise.peer.clone(),
        advertise_client: config.advertise.client.clone(),
        advertise_http: config.advertise.http.clone(),
        admin_addr: config.admin.listen.to_string(),
        secret: config.peer.secret.as_ref().map(|secret| Secret(secret.0.clone().into())),
        timing: timing(config),
        restart: Box::new(restart),
        fail: Arc::new(fail),
        limits: Limits { tree_bytes_max: config.limits.max_tree_bytes, disk_bytes_min: config.limits.min_free_bytes },
    }
}

fn server_config(config: &Config) -> ServerConfig {
    let client = &config.client;
    let millis = |duration: Duration| i32::try_from(duration.as_millis()).unwrap_or(i32::MAX);
    ServerConfig {
        min_session_timeout_ms: millis(client.min_session_timeout),
        max_session_timeout_ms: millis(client.max_session_timeout),
        tick_ms: u32::try_from(client.tick.as_millis()).unwrap_or(u32::MAX),
        max_frame_bytes: client.max_frame_bytes,
        max_connections: client.max_connections,
        max_connections_per_address: client.max_connections_per_address,
        in_flight_max: client.max_in_flight,
        sessionless_timeout: client.sessionless_timeout,
        read_only_mode: client.read_only_mode,
        schemes: vec![Scheme::Digest { super_digest: client.super_digest.clone() }, Scheme::Ip],
        four_letter_words: AllowList::parse(&client.four_letter_words.join(",")),
        slow_request: client.slow_request,
        data_dir: config.data_dir.clone(),
        ..ServerConfig::new(client.listen)
    }
}

impl Daemon {
    /// Starts a member on `disk`; returns once its ports are bound. It may take part in an ensemble only later.
    ///
    /// # Errors
    /// What is wrong, where, and what to do.
    pub async fn start(config: Config, disk: Arc<dyn Disk>) -> io::Result<Daemon> {
        let peers = http::bind("peer_addr", config.peer.listen).await?;
        let hub = Hub::new(config.client.max_outbox_bytes);
        let disks = Disks::open(disk, Path::new(&config.data_dir), disk_config(&config, hub.clone()))?;
        let member = Member::new(member_config(&config), disks, hub.clone(), hub.clone(), hub.clone());
        let consensus: Arc<dyn Consensus> = member.clone();
        member.start(peers).await?;
        let server = Server::start(server_config(&config), hub, consensus.clone())
            .await
            .map_err(|error| io::Error::new(error.kind(), format!("client_addr {}: {error}", config.client.listen)))?;
        let (server, draining) = (Arc::new(server), Draining::default());
        leader_tasks::reap::start(consensus.clone(), config.client.container_check_interval);
        let public = Http::new(consensus.clone(), server.commands(), draining.clone());
        http::serve(http::bind("http_addr", config.http.listen).await?, http::router(public));
        let ops = Arc::new(Ops { member: member.clone(), server: server.clone(), draining: draining.clone() });
        let admin = admin::router(consensus, ops, config.admin.token.clone());
        http::serve(http::bind("admin_addr", config.admin.listen).await?, admin);
        Ok(Daemon { member, server, draining, config })
    }

    /// Hands leadership over, sends the clients away, and ends.
    pub async fn stop(self) {
        ops::drain(&self.member, &self.server, &self.draining, self.config.drain_timeout).await;
    }
}

/// Starts this process anew, with the same arguments, once whoever asked for it has had the answer.
fn restart() {
    tokio::spawn(async {
        tokio::time::sleep(RESTART_PAUSE).await;
        let mut arguments = std::env::args_os();
        let program = std::env::current_exe().ok().or_else(|| arguments.next().map(Into::into)).unwrap_or_default();
        let error = std::process::Command::new(program).args(std::env::args_os().skip(1)).exec();
        tracing::error!(%error, "cannot start anew; start this member by hand");
        std::process::exit(1);
    });
}

/// Ends this process as failed, with EX_SOFTWARE of sysexits.h.
fn fail() {
    // In the simulation many members share the process.
    #[cfg(not(feature = "sim"))]
    std::process::exit(70);
}

/// Runs a member until it is told to stop (SIGTERM, SIGINT).
///
/// # Errors
/// As [`Daemon::start`].
pub async fn run(config: Config) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let open_files_max = descriptors::raise_limit();
    let daemon = Daemon::start(config, planted::disk()).await?;
    tracing::info!(
        open_files_max,
        name = daemon.config.name,
        clients = %daemon.server.address(),
        peers = %daemon.config.peer.listen,
        "started"
    );
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    daemon.stop().await;
    Ok(())
}
