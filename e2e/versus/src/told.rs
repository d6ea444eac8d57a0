//! What a program in a pod is told, and answers: a few words over HTTP, a thread for each connection.
//!
//! Rule: one request a connection, no bodies in, and what fails is answered with its reason. Reason: whoever tells is
//! `kubectl` or a shell, and has nothing but the answer to find out why.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use anyhow::Result;

/// Answers the words of each request's path until the process ends.
pub fn serve(listener: &TcpListener, answer: impl Fn(&[&str]) -> Result<String> + Send + Sync + 'static) {
    let answer = Arc::new(answer);
    for stream in listener.incoming().flatten() {
        let answer = Arc::clone(&answer);
        thread::spawn(move || hear(&stream, &*answer));
    }
}

fn hear(stream: &TcpStream, answer: &impl Fn(&[&str]) -> Result<String>) {
    let mut lines = BufReader::new(stream).lines();
    // A probe connects and says nothing.
    let Some(Ok(first)) = lines.next() else { return };
    lines.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
    let path = first.split_whitespace().nth(1).and_then(|path| path.split('?').next()).unwrap_or("/");
    let words: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (status, body) = match answer(&words) {
        Ok(body) => ("200 OK", body),
        Err(why) => ("409 Conflict", format!("{why:#}\n")),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let mut out = stream;
    let _gone = out.write_all(head.as_bytes()).and_then(|()| out.write_all(body.as_bytes()));
}
