//! Accepts connections within the limits, each into a task of its own.
//!
//! Rule: a connection beyond a limit is closed without a word, as ZooKeeper closes it. A v4-mapped address counts as
//! IPv4.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::Shared;
use super::conn::Conn;
use super::connection::Connection;
use crate::net::{Accepting, TcpListener, TcpStream};

/// Counts connections by address.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

/// One admitted connection; leaves the count when dropped.
struct Admitted {
    admission: Arc<Admission>,
    address: IpAddr,
}

impl Admission {
    fn admit(self: &Arc<Self>, address: IpAddr, max: usize) -> Option<Admitted> {
        let mut counts = self.by_address.lock();
        let count = counts.entry(address).or_default();
        if max != 0 && *count >= max {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Admitted { admission: self.clone(), address })
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut counts = self.admission.by_address.lock();
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// Accepts until `stop` is set.
pub(crate) async fn run(listener: TcpListener, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let (admission, mut accepting) = (Arc::new(Admission::default()), Accepting::new(listener, "client"));
    loop {
        let (stream, peer) = tokio::select! {
            accepted = accepting.next() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        begin(stream, peer, &shared, &admission);
    }
}

fn begin(stream: TcpStream, peer: SocketAddr, shared: &Arc<Shared>, admission: &Arc<Admission>) {
    let config = &shared.config;
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let full = config.max_connections != 0 && shared.hub.connection_count() >= config.max_connections;
    let admitted = admission.admit(peer.ip(), config.max_connections_per_address).filter(|_| !full);
    let Some(admitted) = admitted else {
        shared.hub.metrics.connection_rejected.add(1);
        tracing::debug!(%peer, "connection beyond a limit");
        return;
    };
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let conn = Conn::new(shared.hub.next_id(), peer, shared.hub.clone());
    shared.hub.opened(&conn);
    let connection = Connection::new(stream, conn, shared.clone());
    tokio::spawn(async move {
        connection.run().await;
        drop(admitted);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_admitted_up_to_its_limit_and_again_after_it_leaves() {
        let admission = Arc::new(Admission::default());
        let address = IpAddr::from([10, 0, 0, 1]);
        let first = admission.admit(address, 1);
        assert!(first.is_some());
        assert!(admission.admit(address, 1).is_none());
        assert!(admission.admit(IpAddr::from([10, 0, 0, 2]), 1).is_some());
        drop(first);
        assert!(admission.admit(address, 1).is_some());
        assert!(admission.by_address.lock().is_empty() || admission.by_address.lock().len() == 1);
    }

    #[test]
    fn zero_is_no_limit() {
        let admission = Arc::new(Admission::default());
        let held: Vec<_> = (0..100).map(|_| admission.admit(IpAddr::from([10, 0, 0, 1]), 0)).collect();
        assert!(held.iter().all(Option::is_some));
    }
}
