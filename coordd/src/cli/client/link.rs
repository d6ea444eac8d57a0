//! One connection that holds a session.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use coordd_proto::frame::DEFAULT_MAX_FRAME;
use coordd_proto::{
    ConnectRequest, ConnectResponse, OpCode, RequestHeader, Writer, Xid, begin_frame, end_frame, next_frame,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::net::TcpStream;

/// A host that does not take the connection by then is passed over.
const DIAL_MAX: Duration = Duration::from_secs(2);
/// Answers hold more than requests may: data, its Stat, many names.
const ANSWER_MAX: usize = 64 * DEFAULT_MAX_FRAME;

pub(super) struct Link {
    stream: TcpStream,
    input: BytesMut,
}

impl Link {
    pub(super) async fn open(host: &str, request: &ConnectRequest<'_>) -> io::Result<(Link, ConnectResponse)> {
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no connection in time");
        let stream = timeout(DIAL_MAX, crate::net::dial(host)).await.map_err(late)??;
        let mut link = Link { stream, input: BytesMut::new() };
        let mut out = BytesMut::new();
        request.encode_frame(&mut out);
        link.stream.write_all(&out).await?;
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "the server does not open a session");
        let frame = timeout(DIAL_MAX, link.read()).await.map_err(late)??;
        let response = ConnectResponse::decode(&frame).map_err(io::Error::other)?;
        Ok((link, response))
    }

    /// The next frame. May be dropped and called again without loss.
    pub(super) async fn read(&mut self) -> io::Result<Bytes> {
        loop {
            if let Some(frame) = next_frame(&mut self.input, ANSWER_MAX).map_err(io::Error::other)? {
                return Ok(frame);
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"));
            }
        }
    }

    pub(super) async fn send(&mut self, xid: Xid, op: OpCode, record: &[u8]) -> io::Result<()> {
        let mut out = BytesMut::with_capacity(record.len() + 12);
        let start = begin_frame(&mut out);
        RequestHeader { xid, op: op.to_wire() }.encode(&mut Writer::new(&mut out));
        out.extend_from_slice(record);
        end_frame(&mut out, start);
        self.stream.write_all(&out).await
    }
}
