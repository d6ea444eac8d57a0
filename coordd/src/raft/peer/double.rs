//! A peer for the tests of links: it greets as the member that it shall be and answers as it is told.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use parking_lot::Mutex;
use tokio::time::sleep;

use super::Local;
use super::call::{Answer, Call, Probed};
use super::frame::{self, Frame, Kind};
use super::hello::Identity;
use super::server::{self, Handler, Incoming};
use crate::consensus::BoxFuture;
use crate::net::TcpListener;
use crate::raft::types::{AppendRequest, AppendResponse, Node, NodeId};

pub(crate) fn local(node_id: NodeId) -> Arc<Local> {
    let identity = Identity { ensemble_id: "e".into(), node_id, disk_id: format!("d{node_id}") };
    Arc::new(Local::new(Some(identity), None))
}

/// Answers everything at once but `Elect`, which takes as long as it is told.
#[derive(Default)]
pub(crate) struct Double {
    pub elect_takes: Duration,
    /// How often it was told to stand for election.
    pub elected: AtomicUsize,
    /// The calls that reached it, and appends.
    pub did: Mutex<Vec<String>>,
    /// How many links were greeted.
    pub greeted: AtomicUsize,
    /// A stream of writes is opened and then nothing is heard of it, as if its way had gone.
    pub swallows_streams: bool,
}

impl Double {
    /// Begins to serve as the member with `id`; the node to dial.
    pub(crate) async fn serve(self: Arc<Double>, id: NodeId) -> Node {
        let peer_addr = self.serve_as(local(id)).await;
        Node { disk_id: format!("d{id}"), peer_addr, ..Node::default() }
    }

    /// The same as whoever `local` is; the address to dial.
    pub(crate) async fn serve_as(self: Arc<Double>, local: Arc<Local>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer_addr = listener.local_addr().unwrap().to_string();
        tokio::spawn(server::serve(listener, local, self));
        peer_addr
    }
}

impl Handler for Double {
    fn probed(&self) -> Probed {
        Probed {
            name: "double".to_owned(),
            identity: None,
            disk_id: String::new(),
            ensemble_list: String::new(),
            has_log: true,
            client_addr: String::new(),
            http_addr: String::new(),
            peer_addr: String::new(),
            admin_addr: String::new(),
        }
    }

    fn call(&self, _: Identity, call: Call) -> BoxFuture<Answer> {
        self.did.lock().push(format!("{call:?}"));
        let mut takes = Duration::ZERO;
        if matches!(call, Call::Elect) {
            self.elected.fetch_add(1, Ordering::Relaxed);
            takes = self.elect_takes;
        }
        Box::pin(async move {
            sleep(takes).await;
            Answer::Done
        })
    }

    fn append(&self, request: AppendRequest) -> BoxFuture<io::Result<AppendResponse>> {
        self.did.lock().push(format!("{request:?}"));
        Box::pin(async { Ok(AppendResponse::Success) })
    }

    fn forward(&self, _: Identity, mut link: Incoming, open: Frame) -> BoxFuture<io::Result<()>> {
        let swallows = self.swallows_streams;
        Box::pin(async move {
            let mut out = BytesMut::new();
            frame::put(&mut out, Kind::ForwardOpened, open.id, &[]);
            link.send(&mut out).await?;
            loop {
                link.read().await?;
                if !swallows {
                    frame::put(&mut out, Kind::ForwardOpened, open.id, &[]);
                    link.send(&mut out).await?;
                }
            }
        })
    }

    fn snapshot(&self, _: Incoming, _: Frame) -> BoxFuture<io::Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn heard(&self, _: &Identity) {
        self.greeted.fetch_add(1, Ordering::Relaxed);
    }
}
