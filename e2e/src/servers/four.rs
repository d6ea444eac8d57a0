//! Four-letter words: how a server tells what it is without a session.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// `leader`, `follower` or `standalone`; a member that does not serve has no mode.
pub(super) fn mode(server: SocketAddr) -> Option<String> {
    let answer = ask(server, "srvr").ok()?;
    answer.lines().find_map(|line| line.strip_prefix("Mode: ")).map(str::to_owned)
}

fn ask(server: SocketAddr, word: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&server, Duration::from_millis(300))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(word.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn the_mode_of_a_server_is_read_off_its_answer_to_srvr() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let serve = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut word = [0; 4];
            stream.read_exact(&mut word).unwrap();
            stream.write_all(b"Zookeeper version: 3\nMode: follower\nNode count: 5\n").unwrap();
            word
        });
        assert_eq!(mode(server).as_deref(), Some("follower"));
        assert_eq!(&serve.join().unwrap(), b"srvr");
    }
}
