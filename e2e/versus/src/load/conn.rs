//! One connection of the generator: a socket, what waits to be sent, what waits to be answered.
//!
//! Rule: nothing is allocated per request. A request is encoded straight into `out`; its bookkeeping is one small
//! `Pending` in a ring. Reason: the generator shares two cores with three servers, so what it spends they lack.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use coordd_proto::jute::Writer;
use mio::net::TcpStream;

use super::arrivals;
use crate::wire::{self, Attach, xid};

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Closed,
    Connecting,
    Open,
}

/// A request that is sent and not answered.
#[derive(Debug, Clone, Copy)]
pub struct Pending {
    pub xid: i32,
    pub op: i32,
    /// The load's own mark.
    pub tag: u64,
    /// Nanoseconds on the engine's clock.
    pub sent: u64,
}

/// A connection and its session.
#[derive(Debug)]
pub struct Conn {
    pub id: usize,
    pub addr: SocketAddr,
    pub state: State,
    pub attach: Attach,
    /// Set by the engine before it calls the load.
    pub now: u64,
    /// When the kernel took in what was read last, since the epoch of Unix; only of a connection that asked for it.
    pub arrived: Option<Duration>,
    /// When the last request that has been answered was sent: the session is believed in from then on.
    pub last_answered_sent: u64,
    pub pending: VecDeque<Pending>,
    pub(super) stream: Option<TcpStream>,
    pub(super) input: Vec<u8>,
    pub(super) filled: usize,
    pub(super) out: BytesMut,
    /// When the present connection was begun.
    pub(super) dialled: u64,
    next_xid: i32,
    stamped: bool,
}

impl Conn {
    pub(super) fn new(id: usize, addr: SocketAddr, attach: Attach) -> Self {
        Conn {
            id,
            addr,
            state: State::Closed,
            attach,
            now: 0,
            arrived: None,
            stamped: false,
            last_answered_sent: 0,
            pending: VecDeque::new(),
            stream: None,
            input: Vec::new(),
            filled: 0,
            out: BytesMut::new(),
            dialled: 0,
            next_xid: 1,
        }
    }

    /// Queues a request; it leaves with the rest of the batch.
    pub fn send(&mut self, op: i32, tag: u64, record: impl FnOnce(&mut Writer<'_>)) {
        let xid = self.next_xid;
        self.next_xid = if xid == i32::MAX { 1 } else { xid + 1 };
        self.send_as(xid, op, tag, record);
    }

    /// Queues a request that was encoded before; only its xid is new. The copy may be patched before it leaves.
    pub fn send_frame(&mut self, op: i32, tag: u64, frame: &[u8]) -> &mut [u8] {
        let xid = self.next_xid;
        self.next_xid = if xid == i32::MAX { 1 } else { xid + 1 };
        self.pending.push_back(Pending { xid, op, tag, sent: self.now });
        let start = self.out.len();
        self.out.extend_from_slice(frame);
        let copy = &mut self.out[start..];
        copy[4..8].copy_from_slice(&xid.to_be_bytes());
        copy
    }

    pub fn ping(&mut self) {
        self.send_as(xid::PING, wire::op::PING, 0, |_| {});
    }

    pub fn send_as(&mut self, xid: i32, op: i32, tag: u64, record: impl FnOnce(&mut Writer<'_>)) {
        wire::frame(&mut self.out, xid, op, record);
        self.pending.push_back(Pending { xid, op, tag, sent: self.now });
    }

    /// Starts to connect; the ConnectRequest is queued behind the handshake of TCP.
    pub(super) fn dial(&mut self) -> io::Result<()> {
        let stream = TcpStream::connect(self.addr)?;
        let _ = stream.set_nodelay(true);
        self.stream = Some(stream);
        self.state = State::Connecting;
        self.filled = 0;
        self.dialled = self.now;
        self.pending.clear();
        self.out.clear();
        self.attach.encode(&mut self.out);
        Ok(())
    }

    /// From now on `arrived` is filled in, at the cost of a dearer read.
    pub fn stamp_arrivals(&mut self) -> io::Result<()> {
        let stream = self.stream.as_ref().ok_or(ErrorKind::NotConnected)?;
        self.stamped = true;
        arrivals::ask(stream)
    }

    /// What comes next is acknowledged by what is sent next, as it is where a client answers at once.
    ///
    /// # Errors
    /// The socket's, or [`ErrorKind::NotConnected`].
    pub fn acknowledge_later(&self) -> io::Result<()> {
        let stream = self.stream.as_ref().ok_or(ErrorKind::NotConnected)?;
        Ok(rustix::net::sockopt::set_tcp_quickack(stream, false)?)
    }

    pub(super) fn shut(&mut self) {
        self.stream = None;
        self.state = State::Closed;
        self.out.clear();
    }

    /// Writes what is queued; what the socket does not take stays.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let Some(stream) = self.stream.as_mut() else { return Ok(()) };
        while !self.out.is_empty() {
            match stream.write(&self.out) {
                Ok(n) if n == self.out.len() => self.out.clear(),
                Ok(n) => drop(self.out.split_to(n)),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => break,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Reads once; `false` when the socket is drained. An end of stream is an error.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        let Some(stream) = self.stream.as_mut() else { return Ok(false) };
        if self.input.len() - self.filled < 16 << 10 {
            self.input.resize((self.input.len() * 2).max(32 << 10), 0);
        }
        let room = self.input.len() - self.filled;
        let into = &mut self.input[self.filled..];
        let read = if self.stamped { arrivals::read(stream, into, &mut self.arrived) } else { stream.read(into) };
        match read {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                self.filled += n;
                Ok(n == room)
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => Ok(false),
            Err(e) => Err(e),
        }
    }
}
