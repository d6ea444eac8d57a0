//! One connection to one member, from the handshake on.
//!
//! Rule: an answer is awaited for a while and not for ever. Reason: this network, unlike TCP, never sends again what a
//! partition swallowed, so a connection that outlived one may be silent without end.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use coordd_proto::frame::DEFAULT_MAX_FRAME;
use coordd_proto::{ConnectRequest, ConnectResponse, next_frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use turmoil::net::TcpStream;

use crate::host::CLIENT_PORT;

const DIAL_MAX: Duration = Duration::from_secs(1);
const ANSWER_MAX: Duration = Duration::from_secs(3);

pub(super) struct Link {
    stream: TcpStream,
    input: BytesMut,
}

fn late<E>(_: E) -> io::Error {
    io::ErrorKind::TimedOut.into()
}

impl Link {
    pub(super) async fn open(member: &str, request: &ConnectRequest<'_>) -> io::Result<(Link, ConnectResponse)> {
        let stream = timeout(DIAL_MAX, TcpStream::connect((member, CLIENT_PORT))).await.map_err(late)??;
        let mut link = Link { stream, input: BytesMut::new() };
        let mut out = BytesMut::new();
        request.encode_frame(&mut out);
        link.send(&out).await?;
        let answer = link.frame().await?;
        Ok((link, ConnectResponse::decode(&answer).map_err(io::Error::other)?))
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(ANSWER_MAX, self.stream.write_all(bytes)).await.map_err(late)?
    }

    pub(super) async fn frame(&mut self) -> io::Result<Bytes> {
        loop {
            if let Some(frame) = next_frame(&mut self.input, DEFAULT_MAX_FRAME).map_err(io::Error::other)? {
                return Ok(frame);
            }
            let read = timeout(ANSWER_MAX, self.stream.read_buf(&mut self.input)).await.map_err(late)??;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
