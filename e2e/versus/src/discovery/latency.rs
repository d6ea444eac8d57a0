//! How long after a create, or the close of a session, is acknowledged its event has come whole to a follower, at each
//! member in turn.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use super::Options;
use super::service::{INSTANCES, PATH, Registrar, local};
use super::stream::{Events, request};
use crate::servers::Ensemble;

/// Of each kind.
const CHANGES: usize = 1000;
const MEDIAN: Duration = Duration::from_millis(5);
const P99: Duration = Duration::from_millis(50);

type Heard = mpsc::Receiver<(i64, Instant)>;

/// Says when each event had come whole, with its id.
fn follow(port: u16, heard: &mpsc::Sender<(i64, Instant)>) -> Result<()> {
    let mut stream = TcpStream::connect(local(port))?;
    stream.write_all(request(PATH).as_bytes())?;
    let (mut events, mut buffer) = (Events::default(), [0; 64 << 10]);
    loop {
        let read = stream.read(&mut buffer)?;
        ensure!(read > 0, "the stream has ended");
        if events.take(&buffer[..read])? && heard.send((events.newest, Instant::now())).is_err() {
            return Ok(());
        }
    }
}

/// When the follower had heard of `zxid`.
fn until(heard: &Heard, zxid: i64) -> Result<Instant> {
    loop {
        let (newest, at) = heard.recv_timeout(Duration::from_secs(10)).context("nothing was heard")?;
        if newest >= zxid {
            return Ok(at);
        }
    }
}

/// From the acknowledgement, which comes now, of a change to its last byte.
fn since(heard: &Heard, zxid: i64) -> Result<Duration> {
    let acknowledged = Instant::now();
    Ok(until(heard, zxid)?.saturating_duration_since(acknowledged))
}

#[derive(Default)]
struct Times {
    creates: Vec<Duration>,
    closes: Vec<Duration>,
}

impl Times {
    fn take(&mut self, ensemble: &Ensemble, registrar: &mut Registrar, heard: &Heard) -> Result<()> {
        self.creates.push(since(heard, registrar.register(INSTANCES)?)?);
        until(heard, registrar.remove(INSTANCES)?)?;
        let mut another = Registrar::another(ensemble)?;
        until(heard, another.register(INSTANCES)?)?;
        self.closes.push(since(heard, another.close()?)?);
        Ok(())
    }
}

/// Prints what was measured, and holds it to its bounds.
fn judge(what: &str, mut times: Vec<Duration>, options: &Options) -> Result<()> {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 1000];
    let (median, p99) = (at(500), at(990));
    println!(
        "{what} to last byte at a follower, {} times [µs]: median {}, p99 {}, worst {}",
        times.len(),
        median.as_micros(),
        p99.as_micros(),
        at(1000).as_micros()
    );
    options.promised(&format!("{what} to last byte"), median <= MEDIAN && p99 <= P99)
}

pub(super) fn run(options: &Options) -> Result<()> {
    let ensemble = options.start(3)?;
    let mut registrar = Registrar::start(&ensemble)?;
    let mut times = Times::default();
    for member in 0..ensemble.members.len() {
        let (tell, heard) = mpsc::channel();
        let port = ensemble.plan.http_port(member);
        let following = thread::spawn(move || follow(port, &tell));
        until(&heard, 0)?;
        let changes = if options.short { 20 } else { CHANGES.div_ceil(ensemble.members.len()) };
        (0..changes).try_for_each(|_| times.take(&ensemble, &mut registrar, &heard))?;
        drop(heard);
        registrar.set(0)?;
        following.join().map_err(|_| anyhow!("a follower panicked"))??;
    }
    judge("create acknowledged", times.creates, options)?;
    judge("close of a session acknowledged", times.closes, options)
}
