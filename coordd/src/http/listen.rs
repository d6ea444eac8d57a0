//! hyper on the network seam: the same routes over real and simulated connections.
//!
//! ```text
//!   accept ─┬─ one of those that are kept (bounded) ─► requests, one after the other, until it is idle for a minute
//!           └─ beyond them, some more ─► one request each, at most 10 s, then closed ─► beyond those: closed at once
//! ```
//!
//! Rule: a connection costs two buffers and is closed when its reader takes nothing (`patient`); whoever asks whether
//! this member lives is answered even when strangers hold every connection that is kept; so nothing is followed on one
//! of the others (`Brief`). Reason: the port is open to everyone, and descriptors are shared with ZooKeeper's clients
//! and the peers.

use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::patient::Patient;
use crate::descriptors;
use crate::net::{Accepting, TcpListener, TcpStream};

/// Connections that are kept; never more than three quarters of the descriptors.
const KEPT_MAX: usize = 24_000;
/// Connections beyond them that are answered once.
const BRIEF_MAX: usize = 256;
/// How long a connection may be idle, and a request's head be on its way.
const IDLE: Duration = Duration::from_mins(1);
const IDLE_BRIEF: Duration = Duration::from_secs(5);
/// How long a connection lives that is answered once.
const BRIEF_LIFE: Duration = Duration::from_secs(10);
/// Of each connection's two buffers; also the longest head of a request.
const BUFFER_MAX: usize = 32 * 1024;

/// Of a request on a connection that is answered once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Brief;

/// Places for connections.
struct Places {
    kept: Arc<Semaphore>,
    brief: Arc<Semaphore>,
}

impl Places {
    fn new(kept: usize, brief: usize) -> Places {
        Places { kept: Arc::new(Semaphore::new(kept)), brief: Arc::new(Semaphore::new(brief)) }
    }

    /// A place, and whether the connection is kept after its first answer.
    fn take(&self) -> Option<(OwnedSemaphorePermit, bool)> {
        let of = |places: &Arc<Semaphore>| places.clone().try_acquire_owned().ok();
        of(&self.kept).map(|place| (place, true)).or_else(|| of(&self.brief).map(|place| (place, false)))
    }
}

fn kept_max() -> usize {
    let descriptors = descriptors::allowed().map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
    KEPT_MAX.min(descriptors / 4 * 3)
}

async fn connection(stream: TcpStream, router: Router, keep: bool) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(if keep { IDLE } else { IDLE_BRIEF })
        .max_buf_size(BUFFER_MAX)
        // A seed has no date.
        .auto_date_header(!cfg!(feature = "sim"))
        .keep_alive(keep);
    let served = http.serve_connection(TokioIo::new(Patient::new(stream)), TowerToHyperService::new(router));
    if let Err(error) = served.await {
        tracing::debug!(%error, "an HTTP connection has ended");
    }
}

/// Serves `router` on `listener` until the task is dropped.
pub fn serve(listener: TcpListener, router: Router) -> tokio::task::JoinHandle<()> {
    tokio::spawn(accept(listener, router, Places::new(kept_max(), BRIEF_MAX), BRIEF_LIFE))
}

async fn accept(listener: TcpListener, router: Router, places: Places, life: Duration) {
    let (brief, mut accepting) = (router.clone().layer(Extension(Brief)), Accepting::new(listener, "HTTP"));
    loop {
        let (stream, _) = accepting.next().await;
        let Some((place, keep)) = places.take() else { continue };
        // An event that follows another must not wait for the first to be acknowledged.
        let _ = stream.set_nodelay(true);
        let router = if keep { router.clone() } else { brief.clone() };
        tokio::spawn(async move {
            let served = connection(stream, router, keep);
            if keep {
                served.await;
            } else if timeout(life, served).await.is_err() {
                tracing::debug!("an HTTP connection that is answered once took too long");
            }
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::Instant;

    use super::*;

    #[test]
    fn beyond_those_that_are_kept_some_are_answered_once() {
        let places = Places::new(2, 1);
        let taken: Vec<_> = std::iter::from_fn(|| places.take()).collect();
        assert_eq!(taken.iter().map(|(_, keep)| *keep).collect::<Vec<_>>(), [true, true, false]);
        drop(taken);
        assert!(places.take().is_some_and(|(_, keep)| keep));
    }

    async fn ask(stream: &mut TcpStream, path: &str) -> String {
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: t\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_connection_that_is_answered_once_is_known_as_such_and_gives_its_place_back_in_time() {
        let kind = |brief: Option<Extension<Brief>>| async move { if brief.is_some() { "brief" } else { "kept" } };
        let router = Router::new().route("/", get(kind)).route("/never", get(pending::<&'static str>));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let life = Duration::from_millis(300);
        let serving = tokio::spawn(accept(listener, router, Places::new(1, 1), life));
        let connect = || TcpStream::connect(address);
        let mut kept = connect().await.unwrap();
        kept.write_all(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n").await.unwrap();
        kept.readable().await.unwrap();
        let began = Instant::now();
        assert_eq!(ask(&mut connect().await.unwrap(), "/never").await, "");
        assert!(began.elapsed() >= life && began.elapsed() < life * 10);
        let answer = ask(&mut connect().await.unwrap(), "/").await;
        assert!(answer.ends_with("brief"), "{answer}");
        serving.abort();
    }
}
