//! One established connection to a peer, seen from the dialer.

use std::time::Duration;

use bytes::BytesMut;
use tokio::time::timeout;

use super::super::types::NodeId;
use super::Local;
use super::frame::{self, Frame};
use super::hello::{self, LinkError, LinkKind};
use crate::net::{self, TcpStream};

/// How long dialing and greeting may take together.
const GREETING_MAX: Duration = Duration::from_secs(3);

/// A greeted connection: the peer is who it should be.
pub(crate) struct Link {
    pub stream: TcpStream,
    pub buffer: BytesMut,
}

impl Link {
    /// Dials `address` and greets whoever answers; with `to`, only that member with that disk will do.
    pub(crate) async fn dial(
        address: &str,
        local: &Local,
        to: Option<(NodeId, String)>,
        kind: LinkKind,
    ) -> Result<Link, LinkError> {
        let greeted = timeout(GREETING_MAX, async {
            let mut stream = net::dial(address).await?;
            let mut buffer = BytesMut::with_capacity(frame::READ_AHEAD);
            hello::dial(&mut stream, &mut buffer, local, to, kind).await?;
            Ok(Link { stream, buffer })
        });
        greeted.await.unwrap_or_else(|_| Err(LinkError::Io(std::io::ErrorKind::TimedOut.into())))
    }

    pub(crate) async fn read(&mut self) -> std::io::Result<Frame> {
        frame::read(&mut self.stream, &mut self.buffer).await
    }

    /// Sends what is in `out` and leaves it empty.
    pub(crate) async fn send(&mut self, out: &mut BytesMut) -> std::io::Result<()> {
        frame::flush(&mut self.stream, out).await
    }
}
