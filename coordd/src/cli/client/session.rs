//! The task that keeps one session alive over as many connections as that takes.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use coordd_proto::{
    ConnectRequest, ErrorCode, OpCode, Reader, ReplyHeader, Request, SessionId, WatchEvent, Writer, Xid, Zxid,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, sleep, timeout};

use super::link::Link;
use super::watches::{Watch, Watches};
use super::{Call, CallError, Event, Keep, Options};

const RETRY_EVERY: Duration = Duration::from_millis(100);
const GOODBYE_MAX: Duration = Duration::from_secs(1);

pub(super) struct Session {
    hosts: Vec<String>,
    next_host: usize,
    read_only: bool,
    timeout_ms: i32,
    id: SessionId,
    password: [u8; 16],
    seen: Zxid,
    auths: Vec<(String, Vec<u8>)>,
    watches: Watches,
    events: mpsc::UnboundedSender<Event>,
}

impl Session {
    pub(super) fn new(hosts: Vec<String>, options: &Options, events: mpsc::UnboundedSender<Event>) -> Session {
        Session {
            hosts,
            next_host: 0,
            read_only: options.read_only,
            timeout_ms: i32::try_from(options.timeout.as_millis()).unwrap_or(i32::MAX),
            id: SessionId::NONE,
            password: [0; 16],
            seen: Zxid::ZERO,
            auths: Vec::new(),
            watches: Watches::default(),
            events,
        }
    }

    /// The first connection: the reasons of all hosts when none is to be had.
    pub(super) async fn first_link(&mut self, patience: Duration) -> Result<Link, String> {
        let until = Instant::now() + patience.min(Duration::from_secs(10));
        loop {
            let mut reasons = Vec::new();
            for _ in 0..self.hosts.len() {
                match self.try_next().await {
                    Ok(link) => return Ok(link),
                    Err(why) => reasons.push(why),
                }
            }
            if Instant::now() >= until {
                return Err(format!("cannot connect: {}", reasons.join("; ")));
            }
            sleep(RETRY_EVERY).await;
        }
    }

    /// Tries one host. An expired session is told and begun anew.
    async fn try_next(&mut self) -> Result<Link, String> {
        let host = self.hosts[self.next_host % self.hosts.len()].clone();
        self.next_host += 1;
        let fail = |error: &dyn std::fmt::Display| format!("{host}: {error}");
        let password = self.password;
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.seen,
            timeout_ms: self.timeout_ms,
            session: self.id,
            password: Some(&password),
            read_only: Some(self.read_only),
        };
        let (mut link, response) = Link::open(&host, &request).await.map_err(|error| fail(&error))?;
        if response.timeout_ms <= 0 {
            self.id = SessionId::NONE;
            self.password = [0; 16];
            self.watches = Watches::default();
            self.tell(Event::Expired);
            return Err(fail(&"the session has expired"));
        }
        self.id = response.session;
        self.password = response.password;
        self.timeout_ms = response.timeout_ms;
        self.restore(&mut link).await.map_err(|error| fail(&error))?;
        self.tell(Event::Connected { host, session: self.id });
        Ok(link)
    }

    /// Identities and watches of the last connection.
    async fn restore(&self, link: &mut Link) -> io::Result<()> {
        for (scheme, proof) in &self.auths {
            let auth = Request::Auth { kind: 0, scheme: scheme.into(), auth: Some(proof) };
            link.send(Xid::AUTH, OpCode::Auth, &record(&auth)).await?;
        }
        if let Some(again) = self.watches.again(self.seen) {
            let request = Request::SetWatches(again);
            link.send(Xid::SET_WATCHES, request.op(), &record(&request)).await?;
        }
        Ok(())
    }

    fn tell(&self, event: Event) {
        // Nobody listens any more when the client is closing.
        let _ = self.events.send(event);
    }

    pub(super) async fn run(mut self, mut link: Link, mut calls: mpsc::Receiver<Call>) {
        loop {
            let Err(error) = self.serve(&mut link, &mut calls).await else { return };
            self.tell(Event::Disconnected { why: error.to_string() });
            link = loop {
                if calls.is_closed() {
                    return;
                }
                match self.try_next().await {
                    Ok(link) => break link,
                    Err(_) => sleep(RETRY_EVERY).await,
                }
            };
        }
    }

    /// Until the connection breaks (an error) or the client is done.
    async fn serve(&mut self, link: &mut Link, calls: &mut mpsc::Receiver<Call>) -> io::Result<()> {
        let mut waiting: VecDeque<(Xid, Call)> = VecDeque::new();
        let session_timeout = Duration::from_millis(u64::try_from(self.timeout_ms).unwrap_or(0));
        let mut ping = interval((session_timeout / 3).max(Duration::from_millis(10)));
        let mut heard = Instant::now();
        let mut xid = 0;
        loop {
            tokio::select! {
                frame = link.read() => {
                    heard = Instant::now();
                    self.take(&frame?, &mut waiting)?;
                }
                call = calls.recv() => {
                    let Some(call) = call else { return goodbye(link).await };
                    if let Keep::Forget { path, anyway: true } = &call.keep {
                        self.watches.forget(path);
                    }
                    let sent = if call.op == OpCode::Auth { Xid::AUTH } else { xid += 1; Xid(xid) };
                    link.send(sent, call.op, &call.record).await?;
                    waiting.push_back((sent, call));
                }
                _ = ping.tick() => {
                    if heard.elapsed() > session_timeout * 2 / 3 {
                        return Err(io::Error::new(io::ErrorKind::TimedOut, "the server is silent"));
                    }
                    link.send(Xid::PING, OpCode::Ping, &[]).await?;
                }
            }
        }
    }

    fn take(&mut self, frame: &Bytes, waiting: &mut VecDeque<(Xid, Call)>) -> io::Result<()> {
        let mut from = Reader::new(frame);
        let header = ReplyHeader::decode(&mut from).map_err(io::Error::other)?;
        let record = frame.slice(frame.len() - from.rest().len()..);
        if header.xid == Xid::NOTIFICATION {
            let event = WatchEvent::decode(&record).map_err(io::Error::other)?;
            self.watches.fired(event.event, &event.path);
            self.tell(Event::Changed { event: event.event, path: event.path.into_owned() });
            return Ok(());
        }
        self.seen = self.seen.max(header.zxid);
        if waiting.front().is_none_or(|(xid, _)| *xid != header.xid) {
            let unasked = [Xid::PING, Xid::AUTH, Xid::SET_WATCHES].contains(&header.xid);
            let why = format!("an answer to request {} came, which is not the next", header.xid.0);
            return if unasked { Ok(()) } else { Err(io::Error::other(why)) };
        }
        if let Some((_, call)) = waiting.pop_front() {
            let result = outcome(header.error, record);
            self.keep(call.keep, &result);
            // Whoever gave up waiting is told nothing.
            let _ = call.answer.send(result);
        }
        Ok(())
    }

    fn keep(&mut self, keep: Keep, result: &Result<Bytes, CallError>) {
        match (keep, result) {
            (Keep::Watch(Watch::Exist, path), Ok(_)) => self.watches.add(Watch::Data, path),
            (Keep::Watch(Watch::Exist, path), Err(CallError::Refused(ErrorCode::NoNode))) => {
                self.watches.add(Watch::Exist, path);
            }
            (Keep::Watch(watch, path), Ok(_)) => self.watches.add(watch, path),
            (Keep::Forget { path, .. }, Ok(_)) => self.watches.forget(&path),
            (Keep::Auth { scheme, proof }, Ok(_)) => self.auths.push((scheme, proof)),
            _ => {}
        }
    }
}

fn outcome(error: i32, record: Bytes) -> Result<Bytes, CallError> {
    match (error, ErrorCode::from_wire(error)) {
        (0, _) => Ok(record),
        (_, Some(code)) => Err(CallError::Refused(code)),
        (_, None) => Err(CallError::Refused(ErrorCode::SystemError)),
    }
}

fn record(request: &Request<'_>) -> BytesMut {
    let mut record = BytesMut::new();
    request.encode(&mut Writer::new(&mut record));
    record
}

async fn goodbye(link: &mut Link) -> io::Result<()> {
    link.send(Xid(i32::MAX), OpCode::CloseSession, &[]).await?;
    let answered = async {
        while let Ok(frame) = link.read().await {
            if frame.starts_with(&i32::MAX.to_be_bytes()) {
                return;
            }
        }
    };
    let _ = timeout(GOODBYE_MAX, answered).await;
    Ok(())
}
