//! As much HTTP as is needed to ask a member of ours.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// The body of the answer to one request; an answer outside of 2xx is an error.
pub(super) fn request(port: u16, method: &str, path: &str) -> Result<String> {
    let server = SocketAddr::from(([127, 0, 0, 1], port));
    let mut stream = TcpStream::connect_timeout(&server, Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(300)))?;
    let head = "Host: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 2\r\n";
    write!(stream, "{method} {path} HTTP/1.1\r\n{head}\r\n{{}}")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    ensure!(status.starts_with('2'), "{method} {path} was answered with {status}: {body}");
    Ok(body.to_owned())
}
