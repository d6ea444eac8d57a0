//! The one door to the network: every listener and every dialer goes through it.
//!
//! ```text
//!   built normally        tokio's TCP
//!   built for `cargo sim` turmoil's TCP: the same members, a network that the seed decides
//! ```
//!
//! Rule: a peer's name is resolved anew at every dial and all its addresses are tried. Reason: in Kubernetes a
//! restarted member keeps its name and changes its address (design D11). TLS will wrap the stream here, in one place.

use std::io;
use std::net::SocketAddr;

#[cfg(not(feature = "sim"))]
pub use tokio::net::{
    TcpListener, TcpStream,
    tcp::{OwnedReadHalf, OwnedWriteHalf},
};
#[cfg(feature = "sim")]
pub use turmoil::net::{
    TcpListener, TcpStream,
    tcp::{OwnedReadHalf, OwnedWriteHalf},
};

#[cfg(not(feature = "sim"))]
async fn resolve(address: &str) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host(address).await?.collect())
}

#[cfg(feature = "sim")]
async fn resolve(address: &str) -> io::Result<Vec<SocketAddr>> {
    let parts = address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = parts.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "host:port is needed"))?;
    Ok(vec![SocketAddr::new(turmoil::lookup(host), port)])
}

/// Connects to `address` (`host:port`), trying every address that the name has now.
///
/// # Errors
/// The error of the last address tried, or of the name look-up.
pub async fn dial(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{address} has no address"));
    for candidate in resolve(address).await? {
        match TcpStream::connect(candidate).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
