//! A way to a member that can be shut: what is said through it is lost, and nobody is told.
//!
//! ```text
//!   client ◄──► Door, a port of its own ◄──► member       shut: bytes, and the end of a connection, go no further
//! ```
//!
//! Rule: what met a shut door ends when it is opened, and nothing is delivered late. Reason: a session is to expire by
//! time alone, while both ends believe in their connection; a close that was seen, or a ping that came late, spoils it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::failure::{Result, Tried};

/// How soon it is seen that the door was moved.
const LOOK_EVERY: Duration = Duration::from_millis(10);

pub(super) struct Door {
    pub(super) port: u16,
    shut: Arc<AtomicBool>,
}

impl Door {
    /// A door to what listens at that port; it is open, and there until this process ends.
    pub(super) fn to(member: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).tried(|| "listen for a door".to_owned())?;
        let port = listener.local_addr().tried(|| "find the port of a door".to_owned())?.port();
        let shut = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&shut);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shut = Arc::clone(&seen);
                thread::spawn(move || lead(&client, member, &shut));
            }
        });
        Ok(Door { port, shut })
    }

    pub(super) fn set(&self, shut: bool) {
        self.shut.store(shut, Ordering::SeqCst);
    }
}

/// Serves one connection to its end; a member that is not there is a connection that is closed.
fn lead(client: &TcpStream, member: u16, shut: &AtomicBool) -> std::io::Result<()> {
    if shut.load(Ordering::SeqCst) {
        wait_open(shut);
        return Ok(());
    }
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, member))?;
    thread::scope(|scope| {
        scope.spawn(|| carry(client, &server, shut));
        carry(&server, client, shut)
    })
}

/// Carries one direction until it ends or has met a shut door; then ends both.
fn carry(mut from: &TcpStream, mut to: &TcpStream, shut: &AtomicBool) -> std::io::Result<()> {
    from.set_read_timeout(Some(LOOK_EVERY))?;
    let mut buffer = vec![0; 1 << 16];
    while !shut.load(Ordering::SeqCst) {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(_) if shut.load(Ordering::SeqCst) => break,
            Ok(length) if to.write_all(&buffer[..length]).is_err() => break,
            Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Ok(_) | Err(_) => {}
        }
    }
    wait_open(shut);
    let _already_ended = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    Ok(())
}

fn wait_open(shut: &AtomicBool) {
    while shut.load(Ordering::SeqCst) {
        thread::sleep(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A listener behind an open door.
    fn behind() -> (TcpListener, Door) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let door = Door::to(listener.local_addr().unwrap().port()).unwrap();
        (listener, door)
    }

    fn through(listener: &TcpListener, door: &Door) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(("127.0.0.1", door.port)).unwrap();
        let server = listener.accept().unwrap().0;
        server.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        (client, server)
    }

    #[test]
    fn an_open_door_carries_both_ways_to_the_end() {
        let (listener, door) = behind();
        let (mut client, mut server) = through(&listener, &door);
        client.write_all(b"there").unwrap();
        let mut heard = [0; 5];
        server.read_exact(&mut heard).unwrap();
        server.write_all(b"again").unwrap();
        drop(server);
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        assert_eq!((&heard, text.as_str()), (b"there", "again"));
    }

    #[test]
    fn through_a_shut_door_nothing_comes_not_even_an_end_and_nothing_comes_late() {
        let (listener, door) = behind();
        let (mut client, mut server) = through(&listener, &door);
        door.set(true);
        client.write_all(b"lost").unwrap();
        drop(client);
        let silence = server.read(&mut [0; 4]).unwrap_err();
        assert!(matches!(silence.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{silence}");
        door.set(false);
        let mut late = Vec::new();
        server.read_to_end(&mut late).unwrap();
        assert_eq!(late, b"");
        let (mut client, mut server) = through(&listener, &door);
        client.write_all(b"new").unwrap();
        let mut heard = [0; 3];
        server.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"new");
    }
}
