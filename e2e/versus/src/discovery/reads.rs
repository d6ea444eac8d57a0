//! Reads of a service of ten instances over 64 kept-alive connections, one write a second to it: a member on one core
//! against a bare axum handler on the same core that sends the same bytes.
//!
//! ```text
//!   core 0: the member, then the bare handler, then each again      core 1: 64 connections, one request each
//! ```
//!
//! Rule: every body is compared with the one of its ETag, and each new one is looked into. Reason: fast and wrong is
//! easy.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustix::thread::{CpuSet, Pid, sched_setaffinity};

use super::Options;
use super::service::{INSTANCES, PATH, Registrar, local};

const CONNECTIONS: usize = 64;
const ROUNDS: usize = 3;
/// Of what the bare handler does.
const SHARE: f64 = 0.5;

/// Binds each thread of a process to one core.
fn pin(pid: u32, core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let id = task?.file_name().to_string_lossy().parse::<i32>()?;
        sched_setaffinity(Pid::from_raw(id), &cores)?;
    }
    Ok(())
}

/// Bodies by their ETag.
#[derive(Default)]
struct Seen {
    bodies: HashMap<String, Vec<u8>>,
}

impl Seen {
    fn check(&mut self, tag: &str, body: &[u8]) -> Result<()> {
        if let Some(known) = self.bodies.get(tag) {
            ensure!(known == body, "two bodies of one ETag {tag}");
            return Ok(());
        }
        let view: serde_json::Value = serde_json::from_slice(body)?;
        let zxid = view["zxid"].as_i64().map(|zxid| format!("\"{zxid}\""));
        ensure!(view["instances"].as_array().is_some_and(|all| all.len() == INSTANCES), "not {INSTANCES}: {view}");
        ensure!(zxid.as_deref() == Some(tag), "{zxid:?} under the ETag {tag}");
        self.bodies.insert(tag.to_owned(), body.to_owned());
        Ok(())
    }
}

/// The length of the head, the ETag and the length of the body.
fn head(bytes: &[u8]) -> Result<Option<(usize, String, usize)>> {
    let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..end])?;
    ensure!(text.starts_with("HTTP/1.1 200"), "{text}");
    let find = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    };
    let length = find("content-length").context("no length")?.parse()?;
    Ok(Some((end + 4, find("etag").context("no ETag")?.to_owned(), length)))
}

/// Answers a second over `span`.
fn rate(port: u16, span: Duration) -> Result<f64> {
    let (mut poll, mut ready, mut seen) = (Poll::new()?, Events::with_capacity(CONNECTIONS), Seen::default());
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut connections = Vec::new();
    for token in 0..CONNECTIONS {
        let mut stream = std::net::TcpStream::connect(local(port))?;
        stream.set_nodelay(true)?;
        stream.write_all(request.as_bytes())?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry().register(&mut stream, Token(token), Interest::READABLE)?;
        connections.push((stream, Vec::new()));
    }
    let (began, mut answers, mut buffer) = (Instant::now(), 0_u64, vec![0; 64 << 10]);
    while began.elapsed() < span {
        poll.poll(&mut ready, Some(Duration::from_secs(1)))?;
        for event in &ready {
            let (stream, bytes) = connections.get_mut(event.token().0).context("a stranger's token")?;
            loop {
                match stream.read(&mut buffer) {
                    Ok(0) => ensure!(false, "a connection was closed"),
                    Ok(read) => bytes.extend_from_slice(&buffer[..read]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
                if let Some((start, tag, length)) = head(bytes)?
                    && bytes.len() >= start + length
                {
                    seen.check(&tag, &bytes[start..start + length])?;
                    bytes.drain(..start + length);
                    answers += 1;
                    stream.write_all(request.as_bytes())?;
                }
            }
        }
    }
    Ok(answers as f64 / began.elapsed().as_secs_f64())
}

/// The handler that is measured against; killed when it is dropped.
struct Bare(Child);

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts it with the answer that the member gives now.
fn bare(options: &Options, member: u16, port: u16) -> Result<Bare> {
    let mut stream = std::net::TcpStream::connect(local(member))?;
    write!(stream, "GET {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (said, body) = text.split_once("\r\n\r\n").context("no answer")?;
    let own = ["content-length", "date", "connection"];
    let kept = said.lines().skip(1).filter(|line| !own.iter().any(|name| line.to_lowercase().starts_with(name)));
    let answer = options.dir.join("bare-answer");
    std::fs::write(&answer, format!("{}\n\n{body}", kept.collect::<Vec<_>>().join("\n")))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("bare-http").arg("--port").arg(port.to_string()).arg("--answer").arg(&answer);
    let started = Bare(command.spawn()?);
    let end = Instant::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(local(port)).is_err() {
        ensure!(Instant::now() < end, "the bare handler does not listen");
        thread::sleep(Duration::from_millis(10));
    }
    Ok(started)
}

pub(super) fn run(options: &Options) -> Result<()> {
    let ensemble = options.start(1)?;
    let mut registrar = Registrar::start(&ensemble)?;
    let (member, other) = (ensemble.plan.http_port(0), options.base_port + 90);
    let bare = bare(options, member, other)?;
    if !options.short {
        pin(ensemble.pid(0).context("the member does not run")?, 0)?;
        pin(bare.0.id(), 0)?;
        pin(std::process::id(), 1)?;
    }
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let writing = thread::spawn(move || {
        while told.recv_timeout(Duration::from_secs(1)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            registrar.set(0)?;
        }
        anyhow::Ok(())
    });
    let span = Duration::from_secs_f64(if options.short { 0.5 } else { 5.0 });
    let mut all = (0.0, 0.0);
    for _ in 0..if options.short { 1 } else { ROUNDS } {
        let (ours, bare) = (rate(member, span)?, rate(other, span)?);
        println!("reads of {INSTANCES} instances: member {ours:.0}/s, bare handler {bare:.0}/s: {:.2}", ours / bare);
        all = (all.0 + ours, all.1 + bare);
    }
    drop(tell);
    writing.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
    options.promised("reads of a service", all.0 >= all.1 * SHARE)
}
