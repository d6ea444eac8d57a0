//! A door before a member's peer port: it knows a dialer by its hello, counts what passes, keeps one out if told to.
//!
//! ```text
//!   dialer ── hello{from}, frames ──► door ── whole frames ──► member
//!          ◄────────────────── answers as they come ──────────
//!
//!   held: nothing passes; once it is let in, a link that was held is closed    turned away: a new link is closed
//! ```

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

const HELLO: u8 = 1;
const APPEND_ANSWER: u8 = 11;
const CALL: u8 = 20;

/// What a door counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// The dialer came with a control link, let in or not.
    ControlLink,
    /// It asked something.
    Call,
    /// It asked whether it would be voted for.
    PreVote,
    /// An append of its, or a heartbeat, was answered: it was heard.
    AppendAnswer,
}

#[derive(Default)]
struct State {
    held: Option<u64>,
    turned_away: Option<u64>,
    /// How often, by the dialer's node id.
    counts: BTreeMap<(u64, What), usize>,
}

#[derive(Clone, Default)]
struct Shared(Arc<(Mutex<State>, Condvar)>);

impl Shared {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let done = act(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
        done
    }

    /// Waits until the dialer is let in: whether it had to wait.
    fn holds_up(&self, dialer: u64) -> bool {
        let state = self.0.0.lock().unwrap();
        let held = state.held == Some(dialer);
        drop(self.0.1.wait_while(state, |state| state.held == Some(dialer)).unwrap());
        held
    }

    fn count(&self, dialer: u64, what: What) {
        self.with(|state| *state.counts.entry((dialer, what)).or_default() += 1);
    }
}

pub(crate) struct Door {
    pub address: String,
    shared: Shared,
}

impl Door {
    pub(crate) fn before(peer: &str) -> io::Result<Door> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let door = Door { address: listener.local_addr()?.to_string(), shared: Shared::default() };
        let (peer, shared) = (peer.to_owned(), door.shared.clone());
        thread::spawn(move || {
            while let Ok((dialer, _)) = listener.accept() {
                let (peer, shared) = (peer.clone(), shared.clone());
                // A link that breaks is for its two ends to judge.
                thread::spawn(move || drop(serve(dialer, &peer, &shared)));
            }
        });
        Ok(door)
    }

    /// From now on nothing passes that the member with this id says.
    pub(crate) fn hold(&self, dialer: u64) {
        self.shared.with(|state| state.held = Some(dialer));
    }

    /// From now on the member with this id gets no new link.
    pub(crate) fn turn_away(&self, dialer: u64) {
        self.shared.with(|state| state.turned_away = Some(dialer));
    }

    pub(crate) fn let_in(&self) {
        self.shared.with(|state| (state.held, state.turned_away) = (None, None));
    }

    /// How often the member with this id did that.
    pub(crate) fn count(&self, dialer: u64, what: What) -> usize {
        self.shared.with(|state| state.counts.get(&(dialer, what)).copied().unwrap_or(0))
    }
}

/// One whole frame, its length in front.
fn frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    stream.read_exact(&mut bytes)?;
    let len = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    bytes.resize(4 + len as usize, 0);
    stream.read_exact(&mut bytes[4..])?;
    Ok(bytes)
}

fn kind(frame: &[u8]) -> Option<u8> {
    frame.get(5).copied()
}

fn body(frame: &[u8]) -> &[u8] {
    frame.get(14..).unwrap_or_default()
}

/// The node id that a hello names, zero while its member has none, and what the link is for.
fn read_hello(hello: &[u8]) -> io::Result<(u64, String)> {
    if kind(hello) != Some(HELLO) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let said: serde_json::Value = serde_json::from_slice(body(hello))?;
    Ok((said["from"]["node_id"].as_u64().unwrap_or(0), said["link"].as_str().unwrap_or_default().to_owned()))
}

fn serve(mut from: TcpStream, peer: &str, shared: &Shared) -> io::Result<()> {
    let hello = frame(&mut from)?;
    let (dialer, link) = read_hello(&hello)?;
    if link == "control" {
        shared.count(dialer, What::ControlLink);
    }
    if shared.with(|state| state.turned_away == Some(dialer)) || shared.holds_up(dialer) {
        return Ok(());
    }
    let mut to = TcpStream::connect(peer)?;
    from.set_nodelay(true)?;
    to.set_nodelay(true)?;
    to.write_all(&hello)?;
    let (back_from, back_to, counter) = (to.try_clone()?, from.try_clone()?, shared.clone());
    thread::spawn(move || {
        pass(back_from, back_to, |answer| {
            if kind(answer) == Some(APPEND_ANSWER) {
                counter.count(dialer, What::AppendAnswer);
            }
            true
        });
    });
    pass(from, to, |question| {
        if shared.holds_up(dialer) {
            return false;
        }
        if kind(question) == Some(CALL) {
            shared.count(dialer, What::Call);
            if body(question).starts_with(b"{\"PreVote\"") {
                shared.count(dialer, What::PreVote);
            }
        }
        true
    });
    Ok(())
}

/// Passes frames on while they may pass, until one end is gone; then both are.
fn pass(mut from: TcpStream, mut to: TcpStream, may_pass: impl Fn(&[u8]) -> bool) {
    while let Ok(frame) = frame(&mut from) {
        if !may_pass(&frame) || to.write_all(&frame).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
