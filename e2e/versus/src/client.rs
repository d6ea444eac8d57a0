//! A plain client: one session, one thread, blocking; requests may be pipelined.
//!
//! Rule: it hides nothing. Events and replies come out in the order in which they arrived, undecoded, and a lost
//! connection is an error that leaves the session's `Attach` to go on with. Reason: order is what is compared and
//! checked.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::BytesMut;
use coordd_proto::jute::Writer;

use crate::wire::{self, Attach, Event, Reply, xid};

/// Where `host:port` is at present.
pub fn resolve(server: &str) -> Result<SocketAddr> {
    server.to_socket_addrs()?.next().with_context(|| format!("{server} has no address"))
}

/// A reply with what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub xid: i32,
    pub op: i32,
    pub zxid: i64,
    pub err: i32,
    pub body: Vec<u8>,
}

impl Answer {
    /// The reply alone.
    pub fn reply(&self) -> Reply<'_> {
        Reply { xid: self.xid, zxid: self.zxid, err: self.err, body: &self.body }
    }
}

/// What the server sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    Answer(Answer),
    Event(Event),
}

/// One connection and its session.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    pub attach: Attach,
    input: Vec<u8>,
    out: BytesMut,
    pending: VecDeque<(i32, i32)>,
    next_xid: i32,
}

impl Client {
    /// Opens or re-attaches a session; `None` when it is refused.
    pub fn connect(server: SocketAddr, attach: Attach) -> Result<Option<Self>> {
        Client::connect_within(server, attach, Duration::from_secs(10))
    }

    /// The same, for who has less patience.
    pub fn connect_within(server: SocketAddr, attach: Attach, patience: Duration) -> Result<Option<Self>> {
        let stream = TcpStream::connect_timeout(&server, patience)?;
        stream.set_nodelay(true)?;
        let mut client =
            Client { stream, attach, input: Vec::new(), out: BytesMut::new(), pending: VecDeque::new(), next_xid: 1 };
        attach.encode(&mut client.out);
        client.flush()?;
        let Some(payload) = client.next_frame(patience)? else { bail!("no ConnectResponse") };
        Ok(attach.granted(&payload)?.map(|granted| {
            client.attach = granted;
            client
        }))
    }

    /// A new session, which no server may refuse.
    pub fn open(server: SocketAddr, timeout_ms: i32) -> Result<Self> {
        Client::connect(server, Attach::new_session(timeout_ms))?.context("a new session was refused")
    }

    /// Queues a request.
    pub fn send(&mut self, op: i32, record: impl FnOnce(&mut Writer<'_>)) -> i32 {
        let special = match op {
            wire::op::PING => Some(xid::PING),
            wire::op::AUTH => Some(xid::AUTH),
            wire::op::SET_WATCHES | wire::op::SET_WATCHES2 => Some(xid::SET_WATCHES),
            _ => None,
        };
        let xid = special.unwrap_or(self.next_xid);
        if special.is_none() {
            self.next_xid += 1;
        }
        wire::frame(&mut self.out, xid, op, record);
        self.pending.push_back((xid, op));
        xid
    }

    pub fn outstanding(&self) -> usize {
        self.pending.len()
    }

    /// Sends what is queued.
    pub fn flush(&mut self) -> io::Result<()> {
        let out = std::mem::take(&mut self.out);
        self.stream.write_all(&out)
    }

    /// The next event or reply; `None` when the time is over before one has come.
    pub fn receive(&mut self, limit: Duration) -> Result<Option<Incoming>> {
        let Some(payload) = self.next_frame(limit)? else { return Ok(None) };
        let reply = Reply::parse(&payload).context("reply header")?;
        if reply.xid == xid::NOTIFICATION {
            return Ok(Some(Incoming::Event(Event::parse(&reply).context("event")?)));
        }
        let (due, op) = self.pending.pop_front().context("a reply to nothing")?;
        ensure!(due == reply.xid, "xid out of order: {} is answered, {due} is the oldest", reply.xid);
        if reply.zxid > 0 && reply.xid > 0 {
            self.attach.last_zxid = self.attach.last_zxid.max(reply.zxid);
        }
        let answer = Answer { xid: reply.xid, op, zxid: reply.zxid, err: reply.err, body: reply.body.to_vec() };
        Ok(Some(Incoming::Answer(answer)))
    }

    /// Sends one request and waits for its reply; events in between are dropped.
    pub fn call(&mut self, op: i32, record: impl FnOnce(&mut Writer<'_>)) -> Result<Answer> {
        self.send(op, record);
        self.flush()?;
        loop {
            match self.receive(Duration::from_secs(20))? {
                Some(Incoming::Answer(answer)) => return Ok(answer),
                Some(Incoming::Event(_)) => {}
                None => bail!("no reply to op {op}"),
            }
        }
    }

    fn next_frame(&mut self, limit: Duration) -> Result<Option<Vec<u8>>> {
        let end = Instant::now() + limit;
        loop {
            if let Some((payload, rest)) = wire::take_frame(&self.input)? {
                let (payload, left) = (payload.to_vec(), rest.len());
                self.input.drain(..self.input.len() - left);
                return Ok(Some(payload));
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            let mut chunk = [0; 16 << 10];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
                Ok(n) => self.input.extend_from_slice(&chunk[..n]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(None),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
    }
}
