//! A client of both ports of one member: one connection per call, typed in and out.
//!
//! Rule: a call that was refused is a `Refusal` of the member, anything else says at which address it failed. A call
//! is never repeated here. Reason: whoever asks knows how long to be patient; every call may be repeated by design.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::change::{
    AddMember, Added, Bootstrap, Bootstrapped, Changed, Drain, Drained, Promote, Recover, Recovered, Replace, Replaced,
    TransferLeader, Transferred,
};
use crate::ensemble::EnsembleView;
use crate::exchange;
use crate::refusal::Refusal;
use crate::status::AdminStatus;

/// No answer but a snapshot is longer.
const ANSWER_BYTES_MAX: usize = 16 << 20;
const CONNECT_MAX: Duration = Duration::from_secs(5);
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Replacing a member waits until the new one has caught up.
const REPLACE_MAX: Duration = Duration::from_secs(3600);

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The member answered that it does not do it.
    #[error("{0}")]
    Refused(Refusal),
    #[error("{address}: {why}")]
    Failed { address: String, why: String },
}

type Result<T> = std::result::Result<T, ClientError>;

/// Calls one port of one member.
#[derive(Clone)]
pub struct Client {
    address: String,
    token: Option<String>,
}

/// A snapshot on its way.
pub struct Snapshot {
    pub bytes: u64,
    address: String,
    body: Incoming,
}

impl Snapshot {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            match self.body.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) => return Ok(Some(piece)),
                    Err(_trailers) => {}
                },
                Some(Err(error)) => return Err(failed(&self.address, &error)),
            }
        }
    }
}

fn failed(address: &str, why: &dyn std::fmt::Display) -> ClientError {
    ClientError::Failed { address: address.to_owned(), why: why.to_string() }
}

impl Client {
    /// A client of the port at `address`, `host:port`.
    pub fn new(address: impl Into<String>) -> Client {
        Client { address: address.into(), token: None }
    }

    /// The same with a bearer token.
    #[must_use]
    pub fn with_token(self, token: impl Into<String>) -> Client {
        Client { token: Some(token.into()), ..self }
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// The public port's `/v1/ensemble`.
    ///
    /// # Errors
    /// As every call: what the member refused, or why it could not be asked.
    pub async fn ensemble(&self) -> Result<EnsembleView> {
        self.get("/v1/ensemble").await
    }

    /// # Errors
    /// As every call.
    pub async fn status(&self) -> Result<AdminStatus> {
        self.get("/admin/v1/status").await
    }

    /// # Errors
    /// As every call.
    pub async fn bootstrap(&self, order: &Bootstrap) -> Result<Bootstrapped> {
        self.post("/admin/v1/bootstrap", order, ANSWER_MAX).await
    }

    /// # Errors
    /// As every call.
    pub async fn add(&self, order: &AddMember) -> Result<Added> {
        self.post("/admin/v1/members", order, ANSWER_MAX).await
    }

    /// # Errors
    /// As every call.
    pub async fn promote(&self, id: u64, order: &Promote) -> Result<Changed> {
        self.post(&format!("/admin/v1/members/{id}/promote"), order, ANSWER_MAX).await
    }

    /// # Errors
    /// As every call.
    pub async fn replace(&self, id: u64, order: &Replace) -> Result<Replaced> {
        self.post(&format!("/admin/v1/members/{id}/replace"), order, REPLACE_MAX).await
    }

    /// # Errors
    /// As every call.
    pub async fn remove(&self, id: u64, membership_index: u64) -> Result<Changed> {
        let path = format!("/admin/v1/members/{id}?membership_index={membership_index}");
        self.call(Method::DELETE, &path, Bytes::new(), ANSWER_MAX).await
    }

    /// # Errors
    /// As every call.
    pub async fn transfer_leader(&self, order: &TransferLeader) -> Result<Transferred> {
        self.post("/admin/v1/transfer-leader", order, ANSWER_MAX).await
    }

    /// # Errors
    /// As every call.
    pub async fn recover(&self, order: &Recover) -> Result<Recovered> {
        self.post("/admin/v1/recover", order, ANSWER_MAX).await
    }

    /// # Errors
    /// As every call.
    pub async fn drain(&self, order: &Drain) -> Result<Drained> {
        self.post("/admin/v1/drain", order, ANSWER_MAX + Duration::from_millis(order.timeout_ms)).await
    }

    /// A snapshot of everything acknowledged before, streamed.
    ///
    /// # Errors
    /// As every call.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        self.download("/admin/v1/snapshot").await
    }

    /// A snapshot of what this member has applied, streamed: for a lost quorum. It may lack the newest of what was
    /// acknowledged.
    ///
    /// # Errors
    /// As every call.
    pub async fn snapshot_without_quorum(&self) -> Result<Snapshot> {
        self.download("/admin/v1/snapshot?without_quorum=true").await
    }

    async fn download(&self, path: &str) -> Result<Snapshot> {
        let response = self.send(Method::GET, path, Bytes::new(), REPLACE_MAX).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        let length = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let bytes = length.ok_or_else(|| failed(&self.address, &"the answer does not say how long the snapshot is"))?;
        Ok(Snapshot { bytes, address: self.address.clone(), body: response.into_body() })
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.call(Method::GET, path, Bytes::new(), ANSWER_MAX).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, order: &impl Serialize, limit: Duration) -> Result<T> {
        let body = serde_json::to_vec(order).map_err(|error| failed(&self.address, &error))?;
        self.call(Method::POST, path, body.into(), limit).await
    }

    async fn call<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes, limit: Duration) -> Result<T> {
        let response = self.send(method, path, body, limit).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        let text = self.read(response).await?;
        serde_json::from_slice(&text).map_err(|error| failed(&self.address, &format!("unexpected answer: {error}")))
    }

    async fn send(&self, method: Method, path: &str, body: Bytes, limit: Duration) -> Result<Response<Incoming>> {
        let fail = |why: &dyn std::fmt::Display| failed(&self.address, why);
        let mut request = Request::builder().method(method).uri(path).header(HOST, &self.address);
        request = request.header(CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Full::new(body)).map_err(|error| fail(&error))?;
        exchange::send(&self.address, request, CONNECT_MAX, limit).await.map_err(|why| fail(&why))
    }

    async fn read(&self, response: Response<Incoming>) -> Result<Bytes> {
        let read = exchange::read(response, ANSWER_BYTES_MAX, ANSWER_MAX).await;
        read.map_err(|why| failed(&self.address, &why))
    }

    async fn refusal(&self, response: Response<Incoming>) -> ClientError {
        let status = response.status();
        match self.read(response).await {
            Err(error) => error,
            Ok(text) => match serde_json::from_slice(&text) {
                Ok(refusal) => ClientError::Refused(refusal),
                Err(_) => failed(&self.address, &format!("{status}: {}", String::from_utf8_lossy(&text))),
            },
        }
    }
}
