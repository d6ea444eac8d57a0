//! The client port: ZooKeeper's wire on one side, consensus and the state on the other.
//!
//! ```text
//!   listener ─► connection (one task each) ─► batch ─┬─ reads ──► turn ──► out ─► socket
//!                                                     └─ writes ─► Consensus::propose
//!   Hub (ApplyHook, LocalSessions) ◄── apply ──► sink: replies, reads behind them │ watch events │ session ends
//! ```
//!
//! Order of creation: the hub first, since consensus calls it; then consensus; then the listener. Rule: this folder
//! never writes the state and never waits under a guard of it.

mod auth;
mod batch;
mod bounds;
pub mod config;
mod conn;
mod connection;
mod four_letter;
mod growth;
mod handshake;
mod hub;
mod listener;
mod metering;
pub mod metrics;
mod outlet;
mod rarely;
mod reads;
mod sink;
mod slow;
mod tally;
mod teller;
#[cfg(test)]
pub(crate) mod tests;
mod turn;
mod watching;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep};

pub use auth::{Scheme, digest_id};
pub use config::ServerConfig;
pub(crate) use conn::Conn;
pub use four_letter::{AllowList, commands};
pub use hub::Hub;

use self::handshake::Service;
use crate::consensus::{Consensus, Status};
use crate::net::TcpListener;

/// What every connection of the port shares.
pub(crate) struct Shared {
    pub config: ServerConfig,
    pub hub: Arc<Hub>,
    pub consensus: Arc<dyn Consensus>,
    pub status: watch::Receiver<Arc<Status>>,
    /// One connection at a time walks the tree.
    pub walks: Semaphore,
}

/// The running client port.
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
}

/// Slices in which a draining port closes its connections.
const DRAIN_SLICES: u32 = 10;

impl Server {
    /// Binds the port and serves it.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(config: ServerConfig, hub: Arc<Hub>, consensus: Arc<dyn Consensus>) -> io::Result<Server> {
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        hub.slow.set_limit(config.slow_request);
        hub.set_tick(config.tick_ms);
        hub.serve(&consensus, tokio::runtime::Handle::current().metrics().num_workers());
        let status = consensus.status();
        let shared = Arc::new(Shared { config, hub, consensus, status, walks: Semaphore::new(1) });
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(listener::run(listener, shared.clone(), stopped.clone()));
        tokio::spawn(fit_connections(shared.clone(), stopped));
        Ok(Server { shared, address, stop })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The figures of the four-letter words and of `/commands`.
    pub fn commands(&self) -> commands::Commands {
        commands::Commands::new(self.shared.clone())
    }

    /// Stops accepting and closes the connections in slices over at most `limit`; their clients go to other members.
    pub async fn drain(&self, limit: Duration) {
        self.stop.send_replace(true);
        let deadline = Instant::now() + limit;
        for left in (1..=DRAIN_SLICES).rev() {
            let open = self.shared.hub.connections();
            if open.is_empty() {
                return;
            }
            let slice = open.len().div_ceil(usize::try_from(left).unwrap_or(1));
            let closing = open.iter().filter(|conn| conn.drain()).take(slice).count();
            tracing::debug!(open = open.len(), closing, "draining client connections");
            sleep(deadline.saturating_duration_since(Instant::now()) / left.max(1)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// Closes the connections that do not fit the service any more, in read-only mode: read-only ones once this member
/// serves again, since their clients look for a session that can write; the others once it only reads, as ZooKeeper
/// does, so that their clients come back for what there is.
async fn fit_connections(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut status = shared.status.clone();
    loop {
        let service = handshake::service(&status.borrow_and_update(), shared.config.read_only_mode);
        let all = shared.hub.connections();
        let known = all.iter().filter(|conn| conn.is_established());
        match service {
            Service::Full => known.filter(|conn| conn.is_read_only()).for_each(|conn| conn.close_after_flush()),
            Service::ReadOnly => known.filter(|conn| !conn.is_read_only()).for_each(|conn| conn.cut()),
            Service::None => {}
        }
        tokio::select! {
            changed = status.changed() => if changed.is_err() { return },
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}
