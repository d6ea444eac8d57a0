//! A client that hides nothing: one socket, one session, blocking. For tests that look at bytes, order and ends.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::BytesMut;
use coordd_proto::{Acl, CreateMode, ErrorCode, OpCode, Perms, Reader, SessionId, Stat, Writer, Zxid};

/// How long a read may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// One connection with its session.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    pub session: SessionId,
    pub password: Vec<u8>,
    pub timeout_ms: i32,
    /// The newest zxid that a reply has shown.
    pub zxid: Zxid,
    next_xid: i32,
    events: VecDeque<Event>,
}

/// A reply: its header, and its record when there is no error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub xid: i32,
    pub zxid: Zxid,
    pub error: i32,
    pub body: Vec<u8>,
}

/// A watch event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub zxid: Zxid,
    pub kind: i32,
    pub path: String,
}

#[derive(Debug)]
pub enum ConnectError {
    Io(io::Error),
    /// The server says that the session does not exist (any more).
    Expired,
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        ConnectError::Io(error)
    }
}

fn read_frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut len = [0; 4];
    stream.read_exact(&mut len)?;
    let mut frame = vec![0; u32::from_be_bytes(len) as usize];
    stream.read_exact(&mut frame)?;
    Ok(frame)
}

fn write_frame(stream: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    let len = u32::try_from(body.len()).map_err(io::Error::other)?;
    stream.write_all(&[&len.to_be_bytes()[..], body].concat())
}

impl Client {
    /// Opens a new session.
    ///
    /// # Errors
    /// As the socket or the server says.
    pub fn connect(address: &str, timeout_ms: i32) -> Result<Client, ConnectError> {
        Client::attach(address, timeout_ms, SessionId::NONE, &[0; 16], Zxid::ZERO)
    }

    /// Attaches an existing session.
    ///
    /// # Errors
    /// `Expired` when the server knows no such session; an I/O error when it closes without an answer.
    pub fn attach(
        address: &str,
        timeout_ms: i32,
        session: SessionId,
        password: &[u8],
        seen: Zxid,
    ) -> Result<Client, ConnectError> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut out = BytesMut::new();
        let mut w = Writer::new(&mut out);
        w.i32(0);
        w.i64(seen.0);
        w.i32(timeout_ms);
        w.i64(session.0);
        w.buffer(Some(password));
        w.bool(false);
        write_frame(&mut stream, &out)?;
        let answer = read_frame(&mut stream)?;
        let mut r = Reader::new(&answer);
        let decode = |_| ConnectError::Io(io::ErrorKind::InvalidData.into());
        r.i32().map_err(decode)?;
        let timeout_ms = r.i32().map_err(decode)?;
        let session = SessionId(r.i64().map_err(decode)?);
        let password = r.buffer().map_err(decode)?.unwrap_or_default().to_vec();
        if timeout_ms <= 0 {
            return Err(ConnectError::Expired);
        }
        Ok(Client { stream, session, password, timeout_ms, zxid: seen, next_xid: 1, events: VecDeque::new() })
    }

    /// The same session over a new connection.
    ///
    /// # Errors
    /// As [`Client::attach`].
    pub fn reattach(&self, address: &str) -> Result<Client, ConnectError> {
        Client::attach(address, self.timeout_ms, self.session, &self.password, self.zxid)
    }

    /// Sends a request without waiting; returns its xid.
    ///
    /// # Errors
    /// As the socket says.
    pub fn send(&mut self, op: OpCode, record: impl FnOnce(&mut Writer<'_>)) -> io::Result<i32> {
        let xid = self.next_xid;
        self.next_xid += 1;
        self.send_as(xid, op.to_wire(), record).map(|()| xid)
    }

    /// Sends a request with any xid and operation number.
    ///
    /// # Errors
    /// As the socket says.
    pub fn send_as(&mut self, xid: i32, op: i32, record: impl FnOnce(&mut Writer<'_>)) -> io::Result<()> {
        let mut out = BytesMut::new();
        let mut w = Writer::new(&mut out);
        w.i32(xid);
        w.i32(op);
        record(&mut w);
        write_frame(&mut self.stream, &out)
    }

    /// The next reply; events that come before it are kept for [`Client::event`].
    ///
    /// # Errors
    /// As the socket says; `UnexpectedEof` when the server closed.
    pub fn receive(&mut self) -> io::Result<Reply> {
        loop {
            let frame = read_frame(&mut self.stream)?;
            let mut r = Reader::new(&frame);
            let bad = |_| io::Error::from(io::ErrorKind::InvalidData);
            let (xid, zxid, error) = (r.i32().map_err(bad)?, Zxid(r.i64().map_err(bad)?), r.i32().map_err(bad)?);
            if xid == -1 {
                let (kind, _) = (r.i32().map_err(bad)?, r.i32().map_err(bad)?);
                let path = r.string().map_err(bad)?.unwrap_or_default().into_owned();
                self.events.push_back(Event { zxid, kind, path });
                continue;
            }
            if zxid.0 > 0 {
                self.zxid = self.zxid.max(zxid);
            }
            return Ok(Reply { xid, zxid, error, body: r.rest().to_vec() });
        }
    }

    /// Sends and waits for the reply.
    ///
    /// # Errors
    /// As the socket says.
    pub fn call(&mut self, op: OpCode, record: impl FnOnce(&mut Writer<'_>)) -> io::Result<Reply> {
        self.send(op, record)?;
        self.receive()
    }

    /// The oldest event that came and was not asked for yet; a ping makes sure that all up to now are in.
    ///
    /// # Errors
    /// As the socket says.
    pub fn event(&mut self) -> io::Result<Option<Event>> {
        if self.events.is_empty() {
            self.ping()?;
        }
        Ok(self.events.pop_front())
    }

    /// # Errors
    /// As the socket says.
    pub fn ping(&mut self) -> io::Result<Reply> {
        self.send_as(-2, OpCode::Ping.to_wire(), |_| {})?;
        self.receive()
    }

    /// # Errors
    /// As the socket says; the inner result is the server's.
    pub fn create(&mut self, path: &str, data: &[u8], mode: CreateMode) -> io::Result<Result<String, i32>> {
        let reply = self.call(OpCode::Create, |w| {
            w.string(path);
            w.buffer(Some(data));
            Acl::encode_list(&[Acl::world(Perms::ALL)], w);
            w.i32(mode.to_wire());
        })?;
        Ok(reply.decode(|r| Ok(r.string()?.unwrap_or_default().into_owned())))
    }

    /// # Errors
    /// As the socket says; the inner result is the server's.
    pub fn set(&mut self, path: &str, data: &[u8], version: i32) -> io::Result<Result<Stat, i32>> {
        let reply = self.call(OpCode::SetData, |w| {
            w.string(path);
            w.buffer(Some(data));
            w.i32(version);
        })?;
        Ok(reply.decode(Stat::decode))
    }

    /// # Errors
    /// As the socket says; the inner result is the server's.
    pub fn get(&mut self, path: &str, watch: bool) -> io::Result<Result<(Vec<u8>, Stat), i32>> {
        let reply = self.call(OpCode::GetData, |w| {
            w.string(path);
            w.bool(watch);
        })?;
        Ok(reply.decode(|r| Ok((r.buffer()?.unwrap_or_default().to_vec(), Stat::decode(r)?))))
    }

    /// # Errors
    /// As the socket says; the inner result is the server's.
    pub fn exists(&mut self, path: &str, watch: bool) -> io::Result<Result<Stat, i32>> {
        let reply = self.call(OpCode::Exists, |w| {
            w.string(path);
            w.bool(watch);
        })?;
        Ok(reply.decode(Stat::decode))
    }

    /// # Errors
    /// As the socket says; the inner result is the server's.
    pub fn children(&mut self, path: &str, watch: bool) -> io::Result<Result<Vec<String>, i32>> {
        let reply = self.call(OpCode::GetChildren, |w| {
            w.string(path);
            w.bool(watch);
        })?;
        Ok(reply.decode(|r| {
            let count = r.count(4)?.unwrap_or(0);
            (0..count).map(|_| Ok(r.string()?.unwrap_or_default().into_owned())).collect()
        }))
    }

    /// # Errors
    /// As the socket says; the inner result is the server's.
    pub fn delete(&mut self, path: &str, version: i32) -> io::Result<Result<(), i32>> {
        let reply = self.call(OpCode::Delete, |w| {
            w.string(path);
            w.i32(version);
        })?;
        Ok(reply.decode(|_| Ok(())))
    }

    /// A barrier: everything committed before is applied at the member afterwards.
    ///
    /// # Errors
    /// As the socket says; the inner result is the server's.
    pub fn sync(&mut self) -> io::Result<Result<(), i32>> {
        Ok(self.call(OpCode::Sync, |w| w.string("/"))?.decode(|_| Ok(())))
    }

    /// Ends the session.
    ///
    /// # Errors
    /// As the socket says.
    pub fn close(mut self) -> io::Result<Reply> {
        self.call(OpCode::CloseSession, |_| {})
    }
}

impl Reply {
    /// The record, or the error code that stands in its place.
    ///
    /// # Errors
    /// The server's error code; MARSHALLINGERROR when the record is not what it should be.
    pub fn decode<T>(
        &self,
        record: impl FnOnce(&mut Reader<'_>) -> Result<T, coordd_proto::DecodeError>,
    ) -> Result<T, i32> {
        if self.error != 0 {
            return Err(self.error);
        }
        record(&mut Reader::new(&self.body)).map_err(|_| ErrorCode::MarshallingError.to_wire())
    }
}
