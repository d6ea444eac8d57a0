//! openraft's way out: one client a purpose and peer, each on the link that fits.
//!
//! ```text
//!   replication ─ append_stream ─ own log link: append, answer, append …    (self-clocking batches)
//!   heartbeats, votes, transfer ─ the peer's shared control link
//!   snapshot ─ a link of its own, for the time it takes
//! ```
//!
//! Rule: making a client never waits; no deadline on an append, only a stall limit on the link. Reason: openraft makes
//! vote clients inside its one task, and a slow fsync is not a dead peer (stack.md §1.4).

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use openraft::error::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetworkFactory, RaftNetworkV2, stream_append_sequential};
use openraft::raft::{SnapshotResponse, TransferLeaderResponse};
use tokio::time::timeout;

use super::append_stream::{Outcome, Session};
use super::intake::LastOrigin;
use super::peer::call::{self, Answer, Call};
use super::peer::hello::LinkKind;
use super::peer::link::Link;
use super::peer::peers::Peers;
use super::snapshot_io;
use super::snapshot_store::SnapshotFile;
use super::types::{
    AppendRequest, AppendResponse, Node, NodeId, TransferRequest, TypeConfig, Vote, VoteRequest, VoteResponse,
};
use crate::consensus::Meter;

pub(super) type RpcError = RPCError<TypeConfig>;
type Outcomes<'s> = BoxStream<'s, Outcome>;

/// Votes and heartbeats that are not answered in time are asked again anyway.
const CONTROL_MAX: Duration = Duration::from_millis(500);

/// Makes the clients.
pub(crate) struct Network {
    pub peers: Arc<Peers>,
    pub last_origin: Arc<LastOrigin>,
    pub meter: Arc<dyn Meter>,
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Client;

    async fn new_client(&mut self, target: NodeId, node: &Node) -> Client {
        let Network { peers, last_origin, meter } = &*self;
        let (peers, last_origin, meter) = (peers.clone(), last_origin.clone(), meter.clone());
        Client { peers, last_origin, meter, target, node: node.clone(), log: None, beat: false }
    }

    async fn new_heartbeat_client(&mut self, target: NodeId, node: &Node) -> Client {
        Client { beat: true, ..self.new_client(target, node).await }
    }
}

/// One client; openraft owns it and uses it for one purpose at a time.
pub(crate) struct Client {
    pub(super) peers: Arc<Peers>,
    pub(super) last_origin: Arc<LastOrigin>,
    meter: Arc<dyn Meter>,
    pub(super) target: NodeId,
    pub(super) node: Node,
    /// Kept between two runs of the append stream.
    pub(super) log: Option<Link>,
    /// Its requests are heartbeats and go over the control link.
    beat: bool,
}

/// Counts a snapshot as being sent until it is dropped.
struct Sending<'a>(&'a dyn Meter);

impl Sending<'_> {
    fn begin(meter: &Arc<dyn Meter>) -> Sending<'_> {
        meter.snapshot_sending();
        Sending(&**meter)
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.0.snapshot_sent();
    }
}

pub(super) fn unreachable(error: &(impl std::error::Error + 'static)) -> RpcError {
    RPCError::Unreachable(Unreachable::new(error))
}

impl Client {
    #[cfg(test)]
    pub(super) fn over(peers: Arc<Peers>, target: NodeId, node: Node, log: Link) -> Client {
        let (last_origin, meter) = (Arc::default(), Arc::new(crate::consensus::Nobody));
        Client { peers, last_origin, meter, target, node, log: Some(log), beat: false }
    }

    async fn heartbeat(&mut self, request: AppendRequest) -> Result<AppendResponse, RpcError> {
        let Some(control) = self.peers.get(self.target) else {
            return Err(unreachable(&std::io::Error::other("not a member")));
        };
        let mut body = BytesMut::new();
        call::put_append(&mut body, &request);
        let answer = control.heartbeat(body.freeze()).await.map_err(|error| unreachable(&error))?;
        call::get_append_answer(answer).map_err(|error| RPCError::Network(NetworkError::new(&error)))
    }

    async fn call(&self, call: Call) -> Result<Answer, RpcError> {
        let answered = timeout(CONTROL_MAX, self.peers.call(self.target, &call)).await;
        answered.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())).map_err(|error| unreachable(&error))
    }

    async fn ask_vote(&self, call: Call) -> Result<VoteResponse, RpcError> {
        match self.call(call).await? {
            Answer::Vote(vote) => Ok(vote),
            other => Err(unreachable(&std::io::Error::other(format!("a vote was asked, the answer is {other:?}")))),
        }
    }
}

impl RaftNetworkV2<TypeConfig> for Client {
    type SnapshotData = SnapshotFile;

    /// A heartbeat: entries travel by the append stream.
    async fn append_entries(&mut self, request: AppendRequest, _: RPCOption) -> Result<AppendResponse, RpcError> {
        self.heartbeat(request).await
    }

    fn stream_append<'s, S>(
        &'s mut self,
        requests: S,
        option: RPCOption,
    ) -> futures_util::future::BoxFuture<'s, Result<Outcomes<'s>, RpcError>>
    where
        S: Stream<Item = AppendRequest> + Send + Unpin + 'static,
    {
        if self.beat {
            return stream_append_sequential(self, requests, option);
        }
        let session = Session::new(self, requests);
        let outcomes = stream::unfold(Some(session), async |session| session?.next_outcome().await);
        Box::pin(async move { Ok(outcomes.boxed()) })
    }

    async fn vote(&mut self, request: VoteRequest, _: RPCOption) -> Result<VoteResponse, RpcError> {
        self.ask_vote(Call::Vote(request)).await
    }

    async fn pre_vote(&mut self, request: VoteRequest, _: RPCOption) -> Result<VoteResponse, RpcError> {
        self.ask_vote(Call::PreVote(request)).await
    }

    async fn transfer_leader(
        &mut self,
        request: TransferRequest,
        _: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RpcError> {
        self.call(Call::Transfer(request)).await.map(|_| Ok(()))
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: openraft::alias::SnapshotOf<TypeConfig, SnapshotFile>,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let to = Some((self.target, self.node.disk_id.clone()));
        let _counted = Sending::begin(&self.meter);
        let send = async {
            let mut link = Link::dial(&self.node.peer_addr, &self.peers.local, to, LinkKind::Snapshot)
                .await
                .map_err(std::io::Error::other)?;
            snapshot_io::send(&mut link, vote, snapshot).await
        };
        tokio::select! {
            closed = cancel => Err(StreamingError::Closed(closed)),
            sent = send => match sent {
                Ok(vote) => Ok(SnapshotResponse::new(vote)),
                Err(error) => Err(StreamingError::Unreachable(Unreachable::new(&error))),
            },
        }
    }
}
