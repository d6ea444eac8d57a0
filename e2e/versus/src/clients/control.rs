//! How the clients are told what happens: HTTP, so that a pod's is reached through the API server.
//!
//! ```text
//!   GET /status                 {"acknowledged":…,"in_flight":…}
//!   GET /mark/WHAT              the same, after WHAT was noted as about to happen
//!   GET /finish/HOST:PORT,…     the clients end, these members are looked at; the verdict
//!   GET /history                afterwards: all that they saw, as `versus check` reads it
//! ```
//!
//! Rule: asked twice, a request does what it does once. Reason: whoever lost an answer on the way asks again.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::Ordering;

use anyhow::{Result, bail};

use super::Work;
use super::verdict::{Progress, Verdict};
use crate::archive;
use crate::history::History;

/// What there is to say, before and after the end of the work.
enum State {
    Working(Work),
    Finished(History, Verdict),
    Failed(String),
}

pub(super) fn serve(listener: &TcpListener, work: Work) -> Result<()> {
    let mut state = State::Working(work);
    for stream in listener.incoming() {
        // Who went away before the answer asks again.
        let Ok(stream) = stream else { continue };
        state = hear(state, &stream);
    }
    Ok(())
}

fn hear(state: State, stream: &TcpStream) -> State {
    // A probe connects and says nothing.
    let Some(path) = request(stream) else { return state };
    let path = path.trim_start_matches('/');
    let (word, rest) = path.split_once('/').unwrap_or((path, ""));
    let mut state = if word == "finish" { finish(state, rest) } else { state };
    let mut body = Vec::new();
    let status = match answer(&mut state, word, rest, &mut body) {
        Ok(()) => "200 OK",
        Err(why) => {
            body = format!("{why:#}\n").into_bytes();
            "409 Conflict"
        }
    };
    let mut out = BufWriter::new(stream);
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _gone = out.write_all(head.as_bytes()).and_then(|()| out.write_all(&body)).and_then(|()| out.flush());
    state
}

/// The path that is asked for; the headers say nothing that matters here.
fn request(stream: &TcpStream) -> Option<String> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    lines.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
    path(&first).map(str::to_owned)
}

/// Without what kubectl adds to it, as `?timeout=3s`.
fn path(request: &str) -> Option<&str> {
    request.split_whitespace().nth(1)?.split('?').next()
}

fn finish(state: State, members: &str) -> State {
    let State::Working(work) = state else { return state };
    let members: Vec<String> = members.split(',').filter(|m| !m.is_empty()).map(str::to_owned).collect();
    match work.finish(&members) {
        Ok((history, verdict)) => State::Finished(history, verdict),
        Err(why) => State::Failed(format!("{why:#}")),
    }
}

fn answer(state: &mut State, word: &str, rest: &str, mut out: impl Write) -> Result<()> {
    match (word, state) {
        (_, State::Failed(why)) => bail!("{why}"),
        ("status" | "mark", State::Working(work)) => {
            if word == "mark" {
                work.mark(rest);
            }
            let acknowledged = work.shared.acknowledged.load(Ordering::Relaxed);
            let in_flight = work.shared.in_flight.load(Ordering::Relaxed);
            serde_json::to_writer(&mut out, &Progress { acknowledged, in_flight })?;
        }
        ("finish", State::Finished(_, verdict)) => serde_json::to_writer(&mut out, verdict)?,
        ("history", State::Finished(history, _)) => return archive::write(history, out),
        _ => bail!("`{word}` is not understood, or not now"),
    }
    Ok(writeln!(out)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubectl_adds_to_a_path_is_no_part_of_it() {
        assert_eq!(path("GET /mark/pod-deleted?timeout=3s HTTP/1.1"), Some("/mark/pod-deleted"));
        assert_eq!(path("GET /status HTTP/1.1"), Some("/status"));
        assert_eq!(path("GET"), None);
    }
}
