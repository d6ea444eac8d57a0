//! As much HTTP as is needed to ask a member, of ours or of ZooKeeper's.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, bail};

/// The body of the answer to one request; an answer outside of 2xx is an error.
pub(super) fn get(port: u16, path: &str) -> Result<String> {
    let mut answer = ask(port, path, "")?;
    let mut body = String::new();
    answer.read_to_string(&mut body)?;
    Ok(body)
}

/// The same for a body that is only to be read, not kept. `headers`: whole lines, each with its end.
pub(super) fn drain(port: u16, path: &str, headers: &str) -> Result<()> {
    io::copy(&mut ask(port, path, headers)?, &mut io::sink())?;
    Ok(())
}

/// Sends the request and reads the head of the answer; what follows is the body.
fn ask(port: u16, path: &str, headers: &str) -> Result<impl Read> {
    let server = SocketAddr::from(([127, 0, 0, 1], port));
    let mut stream = TcpStream::connect_timeout(&server, Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(300)))?;
    // Version 1.0: the body ends with the connection and comes in one piece.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n{headers}\r\n")?;
    let mut answer = BufReader::new(stream);
    let mut line = String::new();
    answer.read_line(&mut line)?;
    let status = line.split(' ').nth(1).unwrap_or_default().to_owned();
    while line.trim() != "" {
        line.clear();
        answer.read_line(&mut line)?;
    }
    if !status.starts_with('2') {
        let mut why = String::new();
        answer.read_to_string(&mut why)?;
        bail!("GET {path} was answered with {status}: {why}");
    }
    Ok(answer)
}
