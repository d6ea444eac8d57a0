//! The hand on the servers that a client program has: one line per TCP connection, answered by one line.
//!
//! ```text
//!   kill PORT | start PORT | stop PORT | cont PORT | leader | revive   ──►  ok | ok PORT | error SENTENCE
//!   door PORT | shut DOOR | open DOOR                                  ──►  ok DOOR | ok | error SENTENCE
//! ```
//!
//! Members are named by their client port, because that is what a client knows of the server it is connected to, and
//! doors by theirs.
//! Rule: one thread serves all. Reason: a member is bound to the life of the thread that started it (`setpriv`).

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::door::Door;
use crate::failure::{Failure, Result, Tried};
use crate::servers::Ensemble;

pub(super) struct Control {
    address: String,
    ensemble: Arc<Mutex<Ensemble>>,
}

impl Control {
    pub(super) fn listen(ensemble: Arc<Mutex<Ensemble>>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").tried(|| "listen for control".to_owned())?;
        let address = listener.local_addr().tried(|| "find the control port".to_owned())?.to_string();
        let hand = Arc::clone(&ensemble);
        thread::spawn(move || {
            let mut doors = Vec::new();
            for stream in listener.incoming().flatten() {
                let _client_left = serve(&stream, |line| obey(&mut lock(&hand), &mut doors, line));
            }
        });
        Ok(Control { address, ensemble })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Brings back what a program killed and did not start again.
    pub(super) fn revive(&self) -> Result<()> {
        lock(&self.ensemble).revive()
    }
}

impl Drop for Control {
    /// The serving thread stays behind and holds the ensemble, so that its end must be said.
    fn drop(&mut self) {
        lock(&self.ensemble).end();
    }
}

fn lock(ensemble: &Mutex<Ensemble>) -> std::sync::MutexGuard<'_, Ensemble> {
    ensemble.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(mut stream: &TcpStream, obey: impl FnOnce(&str) -> Result<String>) -> std::io::Result<()> {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let answer = obey(line.trim()).unwrap_or_else(|failure| format!("error {failure}"));
    stream.write_all(format!("{answer}\n").as_bytes())
}

fn obey(ensemble: &mut Ensemble, doors: &mut Vec<Door>, line: &str) -> Result<String> {
    if line == "leader" {
        return Ok(format!("ok {}", ensemble.leader()?));
    }
    if line == "revive" {
        ensemble.revive()?;
        return Ok("ok".to_owned());
    }
    let wrong = || Failure::new(format!("what is `{line}`?"));
    let (verb, port) = line.split_once(' ').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    match verb {
        "kill" => ensemble.kill(port)?,
        "start" => ensemble.start_member(port)?,
        "stop" => ensemble.signal(port, "STOP")?,
        "cont" => ensemble.signal(port, "CONT")?,
        "door" => {
            let door = Door::to(port)?;
            let answer = format!("ok {}", door.port);
            doors.push(door);
            return Ok(answer);
        }
        "shut" | "open" => doors.iter().find(|door| door.port == port).ok_or_else(wrong)?.set(verb == "shut"),
        _ => return Err(wrong()),
    }
    Ok("ok".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_program_that_asks_for_the_impossible_is_told_why() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let program = thread::spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(b"kill 7\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        let (stream, _) = listener.accept().unwrap();
        serve(&stream, |line| Err(Failure::new(format!("cannot {line}")))).unwrap();
        drop(stream);
        assert_eq!(program.join().unwrap(), "error cannot kill 7\n");
    }
}
