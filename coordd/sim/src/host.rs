//! The members: the daemon as production assembles it, on a host of turmoil, over as many lives as the faults give it.
//!
//! ```text
//!   disk (stays) ─ mount ─► Daemon::start ─► raft, sessions, watches, client port, HTTP, admin
//!                              └─► seen from outside through Weak<Member> alone: a crash leaves nothing alive
//! ```
//!
//! Rule: the only differences to production are the feature `sim` and what the configuration says; segments and
//! snapshots are small, so that a short run rotates, purges and installs them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::pending;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;

use coordd::config::Config;
use coordd::consensus::{Consensus, Status};
use coordd::daemon::Daemon;
use coordd::raft::member::Member;
use tokio::time::sleep;

use crate::disk::MemberDisk;

pub(crate) const MEMBERS: [&str; 3] = ["m1", "m2", "m3"];
pub(crate) const CLIENT_PORT: u16 = 2181;
pub(crate) const SESSION_TIMEOUT_MS: i32 = 4000;

const RESTART_EVERY: Duration = Duration::from_millis(500);

/// One member, whether it lives or not.
pub(crate) struct Seat {
    pub name: &'static str,
    pub disk: MemberDisk,
    alive: RefCell<Weak<Member>>,
}

/// What a member shows from outside at one moment.
pub(crate) struct View {
    pub status: Arc<Status>,
    pub zxid: i64,
    pub digest: u64,
}

impl Seat {
    pub(crate) fn new(name: &'static str, seed: u64) -> Rc<Seat> {
        Rc::new(Seat { name, disk: MemberDisk::new(seed), alive: RefCell::default() })
    }

    /// `None` while the member is down.
    pub(crate) fn view(&self) -> Option<View> {
        let member = self.alive.borrow().upgrade()?;
        let status = member.status().borrow().clone();
        let state = member.state().read();
        Some(View { status, zxid: state.last_zxid().0, digest: state.digest() })
    }

    pub(crate) fn leads(&self) -> bool {
        self.view().is_some_and(|view| view.status.leader.is_some() && view.status.leader == view.status.node_id)
    }
}

/// One life of a member; ends only with the host.
pub(crate) async fn live(seat: Rc<Seat>) -> turmoil::Result {
    loop {
        match Daemon::start(config(seat.name)?, seat.disk.mount()).await {
            Ok(daemon) => {
                *seat.alive.borrow_mut() = Arc::downgrade(&daemon.member);
                let _listening = daemon;
                pending().await
            }
            // The power failed while it started: the host is crashed after this step.
            Err(_) if seat.disk.has_failed() => pending().await,
            // Its supervisor starts it again.
            Err(_) if seat.disk.is_full() => sleep(RESTART_EVERY).await,
            Err(error) => return Err(format!("{} cannot start: {error}", seat.name).into()),
        }
    }
}

fn config(name: &str) -> Result<Config, coordd::config::ConfigError> {
    let ensemble = MEMBERS.map(|member| format!("{member}={member}:2888")).join(",");
    let settings = [
        ("name", name),
        ("data_dir", "/data"),
        ("ensemble", &ensemble),
        ("client_addr", "0.0.0.0:2181"),
        ("peer_addr", "0.0.0.0:2888"),
        ("http_addr", "0.0.0.0:8080"),
        ("admin_addr", "127.0.0.1:9080"),
        ("max_tree_bytes", "1GiB"),
        ("log_segment_bytes", "1MiB"),
        ("max_frame_bytes", "256KiB"),
        ("min_free_bytes", "1MiB"),
        ("log_keep_entries", "100"),
        ("snapshot_entries", "300"),
    ];
    let flags: BTreeMap<String, String> = settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    Config::load(&flags, |_| None, None)
}
