//! axum on the network seam: the same routes over real and simulated connections.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;

use crate::net::{TcpListener, TcpStream};

/// After a failed accept (no descriptors left, mostly): the loop must not spin.
const PAUSE: Duration = Duration::from_millis(200);

struct Seam(TcpListener);

impl Listener for Seam {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.0.accept().await {
                Ok(accepted) => return accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept an HTTP connection");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// Serves `router` on `listener` until the task is dropped.
pub fn serve(listener: TcpListener, router: Router) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(error) = axum::serve(Seam(listener), router).await {
            tracing::error!(%error, "an HTTP port has stopped");
        }
    })
}
