//! One request on a connection of its own, and its answer: what both clients stand on.
//!
//! Rule: each wait has an end and each answer a bound; what goes wrong is said in words, without the address, which
//! the caller adds.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Sends `request` to `address` and waits for the head of the answer.
pub(crate) async fn send(
    address: &str,
    request: Request<Full<Bytes>>,
    connect: Duration,
    answer: Duration,
) -> Result<Response<Incoming>, String> {
    let connected = timeout(connect, TcpStream::connect(address)).await;
    let stream = connected.map_err(|_| format!("no connection within {} s", connect.as_secs_f32()))?;
    let handshake = http1::handshake(TokioIo::new(stream.map_err(|error| error.to_string())?));
    let (mut sender, connection) = handshake.await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    let answered = timeout(answer, sender.send_request(request)).await;
    answered.map_err(|_| format!("no answer within {} s", answer.as_secs_f32()))?.map_err(|error| error.to_string())
}

/// The whole body, of at most `max` bytes, within `limit`.
pub(crate) async fn read(response: Response<Incoming>, max: usize, limit: Duration) -> Result<Bytes, String> {
    let body = Limited::new(response.into_body(), max).collect();
    let read = timeout(limit, body).await.map_err(|_| "the answer stopped midway".to_owned())?;
    read.map(http_body_util::Collected::to_bytes).map_err(|error| error.to_string())
}
