//! The first frame of a connection: a session is opened, or held on to, or the client is sent elsewhere.
//!
//! ```text
//!   ConnectRequest ─► read-only member, client cannot live with it      close, no word
//!                  ─► the client has seen a later zxid than this member  close, no word   (it tries the next member)
//!                  ─► session 0     OpenSession   ─┐
//!                  ─► session s     AttachSession ─┴─► log ─► ConnectResponse at apply; zeros when refused, then close
//! ```
//!
//! Rule: both ways go through the log, so that every member knows where a session is attached, and how often it was.
//! The timeout is clamped to this member's limits each time. The order of the checks is ZooKeeper's
//! (processConnectRequest).

use std::sync::Arc;

use coordd_proto::{ConnectRequest, ConnectResponse, SessionId};
use coordd_tree::Op;
use tokio::time::Instant;

use super::Shared;
use super::conn::{Conn, Pending};
use crate::consensus::{Role, Status, Write};
use crate::entropy;

/// The connection closes without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TurnedAway {
    #[error("this member does not serve")]
    NotServing,
    #[error("this member only reads, and the client did not say that it can live with that")]
    ReadOnly,
    #[error("the client has seen a later zxid than this member")]
    SeenLater,
    #[error("no randomness for a password")]
    NoEntropy,
}

/// How this member can serve a client now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Service {
    Full,
    ReadOnly,
    None,
}

pub(crate) fn service(status: &Status, read_only_mode: bool) -> Service {
    match status.not_serving {
        None => Service::Full,
        Some(_) if read_only_mode && status.role != Role::Unformed => Service::ReadOnly,
        Some(_) => Service::None,
    }
}

/// Starts the session of `conn`, asked for by a request that was read at `since`; its answer comes through the outbox.
pub(crate) fn begin(
    conn: &Arc<Conn>,
    shared: &Shared,
    request: &ConnectRequest<'_>,
    since: Instant,
) -> Result<(), TurnedAway> {
    let status = shared.status.borrow().clone();
    let service = service(&status, shared.config.read_only_mode);
    match service {
        Service::None => return Err(TurnedAway::NotServing),
        Service::ReadOnly if request.read_only != Some(true) => return Err(TurnedAway::ReadOnly),
        Service::ReadOnly | Service::Full => {}
    }
    let state = shared.consensus.state().read();
    if request.last_zxid_seen > state.last_zxid() {
        return Err(TurnedAway::SeenLater);
    }
    let timeout_ms =
        request.timeout_ms.clamp(shared.config.min_session_timeout_ms, shared.config.max_session_timeout_ms);
    let mut fresh = [0; 16];
    entropy::fill(&mut fresh).map_err(|_| TurnedAway::NoEntropy)?;
    if service == Service::ReadOnly {
        return read_only(conn, request, timeout_ms, fresh);
    }
    drop(state);
    let (password, op) = if request.session == SessionId::NONE {
        (fresh, Op::OpenSession { timeout_ms, password: fresh })
    } else if let Ok(password) = <[u8; 16]>::try_from(request.password.unwrap_or_default()) {
        (password, Op::AttachSession { password, timeout_ms, member: status.node_id.unwrap_or(0) })
    } else {
        refuse(conn, request.read_only.map(|_| false));
        return Ok(());
    };
    let mut queue = conn.queue();
    queue.pending.push_back(Pending::Handshake { timeout_ms, password, read_only: request.read_only, since });
    queue.tally.received += 1;
    let auth = queue.auth.list.clone();
    drop(queue);
    shared.hub.metrics.packets_received.add(1);
    shared.hub.metrics.connection_request_count.add(1);
    if request.session != SessionId::NONE {
        shared.hub.metrics.connection_revalidate_count.add(1);
    }
    let write = Write { session: request.session, attach: 0, auth, op, sink: conn.clone() };
    shared.consensus.propose(&mut vec![write]);
    Ok(())
}

fn refuse(conn: &Conn, read_only: Option<bool>) {
    let mut queue = conn.queue();
    ConnectResponse::new(0, SessionId::NONE, [0; 16], read_only).encode_frame(&mut queue.out);
    queue.close_after_flush();
}

/// Without a quorum no session can be opened or attached: the client gets one that only this connection knows. A client
/// that holds a real session must not lose it here, so it is sent away (ReadOnlyZooKeeperServer).
fn read_only(
    conn: &Arc<Conn>,
    request: &ConnectRequest<'_>,
    timeout_ms: i32,
    password: [u8; 16],
) -> Result<(), TurnedAway> {
    if request.session != SessionId::NONE {
        return Err(TurnedAway::ReadOnly);
    }
    let mut bytes = [0; 8];
    entropy::fill(&mut bytes).map_err(|_| TurnedAway::NoEntropy)?;
    let session = SessionId(i64::from_be_bytes(bytes) & i64::MAX | 1);
    conn.hub.watches().watcher(conn);
    let mut queue = conn.queue();
    conn.establish(session, 0, u64::try_from(timeout_ms).unwrap_or(0), true);
    let response = ConnectResponse::new(timeout_ms, session, password, request.read_only.map(|_| true));
    response.encode_frame(&mut queue.out);
    Ok(())
}
