//! A small asynchronous ZooKeeper client, for `coordd cli`.
//!
//! ```text
//!   Client::call ─► channel ─► session task ─► socket (any of the hosts)      events ─► channel ─► whoever shows them
//!                                  └ lost: re-attach elsewhere, authenticate and arm the watches again
//! ```
//!
//! Rule: a call whose connection broke before the answer fails as lost and is never sent again. Reason: whether it
//! was done is not known here, and doing it twice may be worse than saying so.

mod link;
mod session;
mod target;
mod watches;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use coordd_proto::{DecodeError, ErrorCode, EventType, OpCode, Reply, Request, SessionId, Writer};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

pub(crate) use target::Target;
pub(crate) use watches::Watch;

/// Why a call brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    #[error("{0}")]
    Refused(ErrorCode),
    #[error("the connection was lost before the answer; whether it was done is not known")]
    Lost,
    #[error("no answer within {0:?}")]
    Late(Duration),
    #[error("the server's answer was not understood: {0}")]
    Malformed(#[from] DecodeError),
}

/// What happens without having been asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Changed { event: EventType, path: String },
    Disconnected { why: String },
    Connected { host: String, session: SessionId },
    Expired,
}

/// What is kept of a call that succeeds, for the next connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Keep {
    Nothing,
    Watch(Watch, String),
    Forget {
        path: String,
        /// As soon as it is asked for, whatever the server says.
        anyway: bool,
    },
    Auth {
        scheme: String,
        proof: Vec<u8>,
    },
}

/// A call on its way to the session task.
struct Call {
    op: OpCode,
    record: BytesMut,
    keep: Keep,
    answer: oneshot::Sender<Result<Bytes, CallError>>,
}

/// A record that answers an operation.
pub(crate) struct Answer {
    op: OpCode,
    record: Bytes,
}

impl Answer {
    pub(crate) fn reply(&self) -> Result<Reply<'_>, CallError> {
        Ok(Reply::decode(self.op, &self.record)?)
    }
}

pub(crate) struct Options {
    pub timeout: Duration,
    pub read_only: bool,
}

pub(crate) struct Client {
    calls: mpsc::Sender<Call>,
    target: Target,
    timeout: Duration,
    task: tokio::task::JoinHandle<()>,
}

impl Client {
    /// Opens a session on one of the hosts; fails when none takes it in time.
    pub(crate) async fn connect(
        target: Target,
        options: &Options,
    ) -> Result<(Client, mpsc::UnboundedReceiver<Event>), String> {
        let (events_tx, events) = mpsc::unbounded_channel();
        let mut session = session::Session::new(target.hosts.clone(), options, events_tx);
        let link = session.first_link(options.timeout).await?;
        let (calls, receiver) = mpsc::channel(64);
        let task = tokio::spawn(session.run(link, receiver));
        Ok((Client { calls, target, timeout: options.timeout, task }, events))
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// One request, one answer. Paths in `request` are the server's.
    pub(crate) async fn call(&self, request: &Request<'_>, keep: Keep) -> Result<Answer, CallError> {
        let mut record = BytesMut::new();
        request.encode(&mut Writer::new(&mut record));
        let (answer, answered) = oneshot::channel();
        let op = request.op();
        self.calls.send(Call { op, record, keep, answer }).await.map_err(|_| CallError::Lost)?;
        match timeout(self.timeout, answered).await {
            Ok(Ok(result)) => result.map(|record| Answer { op, record }),
            Ok(Err(_)) => Err(CallError::Lost),
            Err(_) => Err(CallError::Late(self.timeout)),
        }
    }

    /// Ends the session, so that its ephemerals go at once.
    pub(crate) async fn close(self) {
        let Client { calls, task, .. } = self;
        drop(calls);
        // A server that does not answer the goodbye expires the session by itself.
        let _ = timeout(Duration::from_secs(2), task).await;
    }
}
