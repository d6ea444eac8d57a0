//! The one door to the network: every listener and every dialer goes through it.
//!
//! ```text
//!   built normally        tokio's TCP
//!   built for `cargo sim` turmoil's TCP: the same members, a network that the seed decides
//! ```
//!
//! Rule: a peer's name is resolved anew at every dial and all its addresses are tried, none for so long that there is
//! no time left for another. Reason: in Kubernetes a restarted member keeps its name and changes its address (design
//! D11), and one that it had before may be silent. TLS will wrap the stream here, in one place.

mod accepting;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::sleep;

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

/// How long an address is tried alone: a round trip around the world, and a tenth of what a link has to be greeted.
const HEAD_START: Duration = Duration::from_millis(250);

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
/// The error of the address that failed last, or of the name look-up.
pub async fn dial(address: &str) -> io::Result<TcpStream> {
    let candidates = resolve(address).await?;
    if candidates.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("{address} has no address")));
    }
    dial_any(candidates).await
}

/// The first of `candidates` to answer. Each is tried once the one before has failed or had its head start, and none is
/// given up for another: a host that is gone does not say so.
async fn dial_any(candidates: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut untried = candidates.into_iter();
    let mut trying = FuturesUnordered::new();
    let mut failed = io::Error::from(io::ErrorKind::NotFound);
    loop {
        trying.extend(untried.next().map(TcpStream::connect));
        if trying.is_empty() {
            return Err(failed);
        }
        tokio::select! {
            biased;
            Some(tried) = trying.next() => match tried {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => failed = error,
            },
            () = sleep(HEAD_START), if untried.len() > 0 => {}
        }
    }
}

#[cfg(not(feature = "sim"))]
#[cfg(test)]
mod tests {
    use tokio::net::TcpSocket;
    use tokio::time::timeout;

    use super::*;

    /// An address that answers nothing, and what keeps it so: a listener whose queue is full of connections.
    async fn black_hole() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        while let Ok(connected) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
            queued.push(connected.unwrap());
        }
        (address, listener, queued)
    }

    #[tokio::test]
    async fn an_address_that_says_nothing_keeps_no_other_from_being_tried() {
        let (silent, _listener, _queued) = black_hole().await;
        let there = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = there.local_addr().unwrap();
        let dialed = timeout(Duration::from_secs(20), dial_any(vec![silent, address])).await;
        assert_eq!(dialed.expect("it waits for the first").unwrap().peer_addr().unwrap(), address);
    }

    #[tokio::test]
    async fn an_address_that_refuses_is_followed_by_the_next_and_the_last_error_is_told() {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let there = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = there.local_addr().unwrap();
        assert_eq!(dial_any(vec![gone, address]).await.unwrap().peer_addr().unwrap(), address);
        assert_eq!(dial_any(vec![gone]).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}
