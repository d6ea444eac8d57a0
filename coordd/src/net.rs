//! The one door to the network: every listener and every dialer goes through it.
//!
//! ```text
//!   built normally        tokio's TCP
//!   built for `cargo sim` turmoil's TCP: the same members, a network that the seed decides
//! ```
//!
//! Rule: a peer's name is resolved anew at every dial and all its addresses are tried. Reason: in Kubernetes a
//! restarted member keeps its name and changes its address (design D11). TLS will wrap the stream here, in one place.

mod accepting;

use std::io;
use std::net::SocketAddr;

pub(crate) use accepting::Accepting;

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

/// Writes what the socket takes at once.
///
/// Past the runtime: its caller writes to hundreds of sockets in one go, on any thread, and what the runtime knows of
/// each lies elsewhere in memory. A socket that takes less than all must be written to by [`tokio::io::AsyncWrite`]
/// next, which finds that out for itself and then waits.
///
/// # Errors
/// The socket's; `WouldBlock` when it takes nothing now.
pub fn write_now(half: &mut OwnedWriteHalf, bytes: &[u8]) -> io::Result<usize> {
    #[cfg(not(feature = "sim"))]
    {
        use rustix::net::{SendFlags, send};

        let stream: &TcpStream = half.as_ref();
        Ok(send(stream, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
    }
    #[cfg(feature = "sim")]
    {
        use std::pin::Pin;
        use std::task::{Context, Poll, Waker};

        use tokio::io::AsyncWrite;

        match Pin::new(half).poll_write(&mut Context::from_waker(Waker::noop()), bytes) {
            Poll::Ready(taken) => taken,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
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
