//! Four-letter words: how a server tells what it is without a session.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What a serving member is; a member that does not serve has no mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Leader,
    Follower,
    Standalone,
}

/// The answer to a four-letter word.
pub fn ask(server: SocketAddr, word: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&server, Duration::from_millis(300))?;
    stream.set_read_timeout(Some(Duration::from_millis(1000)))?;
    stream.write_all(word.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

pub(super) fn mode(server: SocketAddr) -> Option<Mode> {
    let answer = ask(server, "srvr").ok()?;
    match answer.lines().find_map(|line| line.strip_prefix("Mode: "))? {
        "leader" => Some(Mode::Leader),
        "follower" => Some(Mode::Follower),
        "standalone" => Some(Mode::Standalone),
        _ => None,
    }
}
