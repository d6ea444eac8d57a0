//! The discovery API of real members, asked as plainly as can be.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use coordd_proto::CreateMode;
use coordd_testkit::{Client, Ensemble, Member, eventually};
use serde_json::Value;

use super::{admin, ensemble};

/// An answer with its headers.
pub(crate) struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

pub(crate) fn ask(member: &Member, path: &str, headers: &[&str]) -> Answer {
    ask_at(&member.http, path, headers)
}

pub(crate) fn ask_at(address: &str, path: &str, headers: &[&str]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

pub(crate) fn connect(member: &Member) -> Client {
    Client::connect(&member.client, 10_000).unwrap()
}

pub(crate) fn make(client: &mut Client, path: &str, data: &str, mode: CreateMode) -> String {
    client.create(path, data.as_bytes(), mode).unwrap().unwrap()
}

pub(crate) fn raised(count: usize) -> Ensemble {
    let ensemble = ensemble(count);
    eventually("the feature level", || ensemble.members.iter().all(|m| level(m) >= 2).then_some(()));
    ensemble
}

pub(crate) fn level(member: &Member) -> u64 {
    let output = admin(member, &["--output", "json", "status"]);
    let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    status["feature_level"].as_u64().unwrap_or_default()
}

/// A stream of events.
pub(crate) struct Stream {
    pub head: String,
    reader: BufReader<TcpStream>,
}

/// One event, or a comment, which has no name.
#[derive(Debug)]
pub(crate) struct Event {
    pub id: i64,
    pub name: String,
    pub data: Value,
}

impl Stream {
    pub(crate) fn open(member: &Member, path: &str, headers: &[&str]) -> Stream {
        let mut stream = TcpStream::connect(&member.http).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        write!(stream, "GET {path} HTTP/1.0\r\nHost: t\r\nAccept: text/event-stream\r\n{headers}\r\n").unwrap();
        let mut stream = Stream { head: String::new(), reader: BufReader::new(stream) };
        while let Some(line) = stream.line().filter(|line| !line.is_empty()) {
            stream.head += &format!("{line}\n");
        }
        stream
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let length = self.reader.read_line(&mut line).unwrap();
        (length > 0).then(|| line.trim_end().to_owned())
    }

    /// The next event; `None` when the stream has ended.
    pub(crate) fn event(&mut self) -> Option<Event> {
        let mut event = Event { id: 0, name: String::new(), data: Value::Null };
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                Some(("id", id)) => event.id = id.parse().unwrap(),
                Some(("event", name)) => event.name = name.to_owned(),
                Some(("data", data)) => event.data = serde_json::from_str(data).unwrap(),
                _ if line.is_empty() && !event.name.is_empty() => return Some(event),
                _ => {}
            }
        }
    }
}
