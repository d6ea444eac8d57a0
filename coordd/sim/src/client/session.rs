//! What a client keeps between its connections: the session, its password, the newest zxid it saw.
//!
//! ```text
//!   attach ─ dial the next member ─┬─ taken up again (same id)
//!                                  ├─ expired: zeros ─► the next attach asks for a new one
//!                                  └─ nobody for GIVE_UP: forget it all, begin anew
//!   exchange ─ requests in one write ─► answers in their order, events between them ─► history, trace
//! ```
//!
//! Rule: whatever has no answer when the connection ends is Unknown, and is never asked again.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use coordd_proto::{
    AclListRef, ConnectRequest, Create, MultiOp, MultiResult, OpCode, Reader, Reply, ReplyHeader, SessionId, SetData,
    Stat, WatchEvent, Xid, Zxid, encode_request,
};
use tokio::time::{Instant, sleep};

use super::link::Link;
use super::{Stage, now_ms};
use crate::entropy::Dice;
use crate::history::{Answer, Happened, Record, Request, Seen, Write};
use crate::host::{MEMBERS, SESSION_TIMEOUT_MS};

const RETRY_EVERY: Duration = Duration::from_millis(100);
/// A member that lost what this client has seen never takes it: a real client would wait for ever.
const GIVE_UP: Duration = Duration::from_secs(20);

pub(super) struct Session {
    pub name: String,
    pub stage: Stage,
    pub dice: Dice,
    /// Only this member, or all of them in turn.
    pub only: Option<&'static str>,
    id: SessionId,
    password: [u8; 16],
    seen: Zxid,
    links: u64,
    xid: i32,
    asked_ms: u64,
}

impl Session {
    pub(super) fn new(name: String, stage: Stage, dice: Dice, only: Option<&'static str>) -> Session {
        let (id, password, seen) = (SessionId::NONE, [0; 16], Zxid::ZERO);
        Session { name, stage, dice, only, id, password, seen, links: 0, xid: 0, asked_ms: 0 }
    }

    fn say(&self, what: std::fmt::Arguments<'_>) {
        self.stage.trace.say(now_ms(), &self.name, what);
    }

    /// The next attach asks for a new session.
    pub(super) fn forget(&mut self) {
        (self.id, self.password, self.seen) = (SessionId::NONE, [0; 16], Zxid::ZERO);
    }

    /// A connection that holds the session, or a new one.
    pub(super) async fn attach(&mut self) -> Link {
        let began = Instant::now();
        loop {
            let member = self.only.unwrap_or_else(|| {
                let choice = self.dice.below(MEMBERS.len() as u64);
                MEMBERS[usize::try_from(choice).unwrap_or(0)]
            });
            match self.try_member(member).await {
                Ok(Some(link)) => return link,
                Ok(None) => {}
                Err(error) => {
                    self.say(format_args!("no connection to {member}: {}", error.kind()));
                    if began.elapsed() > GIVE_UP && self.id != SessionId::NONE {
                        self.say(format_args!("gives session {} up", self.id));
                        self.forget();
                    }
                }
            }
            sleep(RETRY_EVERY).await;
        }
    }

    async fn try_member(&mut self, member: &str) -> io::Result<Option<Link>> {
        let password = self.password;
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.seen,
            timeout_ms: SESSION_TIMEOUT_MS,
            session: self.id,
            password: Some(&password),
            read_only: Some(false),
        };
        let (link, response) = Link::open(member, &request).await?;
        if response.timeout_ms <= 0 {
            self.note(Happened::Expired);
            self.forget();
            return Ok(None);
        }
        self.say(format_args!("session {} at {member}", response.session));
        (self.id, self.password) = (response.session, response.password);
        self.links += 1;
        Ok(Some(link))
    }

    /// Asks in one write and takes the answers; all are in the history afterwards, known or not.
    pub(super) async fn exchange(&mut self, link: &mut Link, requests: Vec<Request>) -> io::Result<()> {
        let mut out = BytesMut::new();
        let mut waiting = VecDeque::new();
        for request in requests {
            self.xid += 1;
            encode(&mut out, Xid(self.xid), &request);
            waiting.push_back((Xid(self.xid), request));
        }
        self.asked_ms = now_ms();
        let mut outcome = link.send(&out).await;
        while outcome.is_ok() && !waiting.is_empty() {
            outcome = self.take_frame(link, &mut waiting).await;
        }
        for (_, request) in waiting {
            self.note(Happened::Answered { request, answer: Answer::Unknown });
        }
        outcome
    }

    async fn take_frame(&mut self, link: &mut Link, waiting: &mut VecDeque<(Xid, Request)>) -> io::Result<()> {
        let frame = link.frame().await?;
        let from = &mut Reader::new(&frame);
        let header = ReplyHeader::decode(from).map_err(io::Error::other)?;
        if header.xid == Xid::NOTIFICATION {
            let event = WatchEvent::decode(from.rest()).map_err(io::Error::other)?;
            self.note(Happened::Event { path: event.path.into_owned() });
            return Ok(());
        }
        match waiting.pop_front() {
            Some((xid, request)) if xid == header.xid => {
                let answer = answer(&header, from.rest(), &request)?;
                self.seen = self.seen.max(header.zxid);
                self.note(Happened::Answered { request, answer });
                Ok(())
            }
            _ => Err(io::Error::other(format!("an answer to {:?}, which is not the next one", header.xid))),
        }
    }

    /// Waits until the server has ended the session.
    pub(super) async fn close(&mut self, link: &mut Link) -> io::Result<()> {
        let mut out = BytesMut::new();
        self.xid += 1;
        encode_request(&mut out, Xid(self.xid), &coordd_proto::Request::CloseSession);
        self.asked_ms = now_ms();
        self.note(Happened::Closed);
        link.send(&out).await?;
        while link.frame().await.is_ok() {}
        Ok(())
    }

    /// Makes this member show everything that was committed before.
    pub(super) async fn sync(&mut self, link: &mut Link) -> io::Result<()> {
        let mut out = BytesMut::new();
        self.xid += 1;
        encode_request(&mut out, Xid(self.xid), &coordd_proto::Request::Sync { path: Some("/".into()) });
        link.send(&out).await?;
        link.frame().await.map(drop)
    }

    fn note(&self, happened: Happened) {
        self.say(format_args!("{happened:?}"));
        let (client, session) = (self.name.clone(), self.id.0);
        let (asked_ms, heard_ms) = (self.asked_ms, now_ms());
        self.stage.history.push(Record { client, session, link: self.links, asked_ms, heard_ms, happened });
    }
}

fn encode(out: &mut BytesMut, xid: Xid, request: &Request) {
    let wire = match request {
        Request::Write(Write::Create { path, value }) => coordd_proto::Request::Create(create(path, value, 0)),
        Request::Write(Write::Ephemeral { path, value }) => coordd_proto::Request::Create(create(path, value, 1)),
        Request::Write(Write::Set { path, value }) => coordd_proto::Request::SetData(set(path, value)),
        Request::Multi { writes, doomed } => {
            let mut parts: Vec<MultiOp<'_>> = writes.iter().map(part).collect();
            if *doomed {
                parts.push(MultiOp::Check { path: "/never-there".into(), version: -1 });
            }
            coordd_proto::Request::Multi(parts)
        }
        Request::Get { path, watch } => coordd_proto::Request::GetData { path: path.into(), watch: *watch },
    };
    encode_request(out, xid, &wire);
}

fn create<'a>(path: &'a str, value: &'a str, flags: i32) -> Create<'a> {
    let (op, data) = (OpCode::Create, Some(value.as_bytes()));
    Create { op, path: path.into(), data, acl: AclListRef::OPEN, flags, ttl_ms: -1 }
}

fn set<'a>(path: &'a str, value: &'a str) -> SetData<'a> {
    SetData { path: path.into(), data: Some(value.as_bytes()), version: -1 }
}

fn part(write: &Write) -> MultiOp<'_> {
    match write {
        Write::Create { path, value } => MultiOp::Create(create(path, value, 0)),
        Write::Ephemeral { path, value } => MultiOp::Create(create(path, value, 1)),
        Write::Set { path, value } => MultiOp::SetData(set(path, value)),
    }
}

fn answer(header: &ReplyHeader, record: &[u8], request: &Request) -> io::Result<Answer> {
    let zxid = header.zxid.0;
    if header.error != 0 {
        return Ok(Answer::Refused { zxid, error: header.error });
    }
    let op = match request {
        Request::Write(_) => return Ok(Answer::Written { zxid }),
        Request::Multi { .. } => OpCode::Multi,
        Request::Get { .. } => OpCode::GetData,
    };
    match Reply::decode(op, record).map_err(io::Error::other)? {
        Reply::Data(data, Stat { czxid, mzxid, version, .. }) => {
            let value = String::from_utf8_lossy(data.as_deref().unwrap_or_default()).into_owned();
            Ok(Answer::Read { zxid, seen: Seen { value, czxid: czxid.0, mzxid: mzxid.0, version } })
        }
        Reply::Multi(results) => {
            let failed = results.iter().find_map(|result| match result {
                MultiResult::Error(code) => Some(code.to_wire()),
                _ => None,
            });
            Ok(failed.map_or(Answer::Written { zxid }, |error| Answer::Refused { zxid, error }))
        }
        other => Err(io::Error::other(format!("not what was asked for: {other:?}"))),
    }
}
