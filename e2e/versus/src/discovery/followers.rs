//! Ten thousand streams of one service at one member: how soon all are told of a change, and what each costs.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mio::net::TcpStream;
use mio::{Events as Ready, Interest, Poll, Token};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Options;
use super::service::{PATH, Registrar, local};
use super::stream::{Events, request};
use crate::servers::Ensemble;

const ROUNDS: usize = 20;
/// Connections that are opened before their answers are read.
const BATCH: usize = 200;
const PATIENCE: Duration = Duration::from_secs(60);
const WORST_MILLIS: u128 = 1_000;
const EACH_KIB: f64 = 20.0;

struct Followers {
    poll: Poll,
    ready: Ready,
    streams: Vec<(TcpStream, Events)>,
}

impl Followers {
    fn new() -> Result<Followers> {
        Ok(Followers { poll: Poll::new()?, ready: Ready::with_capacity(1024), streams: Vec::new() })
    }

    fn open(&mut self, port: u16, count: usize) -> Result<()> {
        for _ in 0..count {
            let mut stream = std::net::TcpStream::connect(local(port))?;
            stream.write_all(request(PATH).as_bytes())?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            self.poll.registry().register(&mut stream, Token(self.streams.len()), Interest::READABLE)?;
            self.streams.push((stream, Events::default()));
        }
        Ok(())
    }

    /// Reads until each has an event of `zxid` or newer.
    fn until(&mut self, zxid: i64) -> Result<()> {
        let mut left = self.streams.iter().filter(|(_, events)| events.newest < zxid).count();
        let (end, mut buffer) = (Instant::now() + PATIENCE, vec![0; 64 << 10]);
        while left > 0 {
            ensure!(Instant::now() < end, "{left} of {} have heard nothing", self.streams.len());
            self.poll.poll(&mut self.ready, Some(Duration::from_secs(1)))?;
            for event in &self.ready {
                let (stream, events) = self.streams.get_mut(event.token().0).context("a stranger's token")?;
                let before = events.newest;
                loop {
                    match stream.read(&mut buffer) {
                        Ok(0) => ensure!(false, "a stream has ended"),
                        Ok(read) => drop(events.take(&buffer[..read])?),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        Err(error) => return Err(error.into()),
                    }
                }
                left -= usize::from(before < zxid && events.newest >= zxid);
            }
        }
        Ok(())
    }
}

fn raise_limit() -> Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

fn resident(ensemble: &Ensemble) -> u64 {
    ensemble.resident().last().copied().unwrap_or_default()
}

pub(super) fn run(options: &Options) -> Result<()> {
    raise_limit()?;
    let ensemble = options.start(3)?;
    let mut registrar = Registrar::start(&ensemble)?;
    let member = ensemble.members.len() - 1;
    let port = ensemble.plan.http_port(member);
    let (count, rounds) = if options.short { (200, 3) } else { (options.followers, ROUNDS) };
    let before = resident(&ensemble);
    let mut followers = Followers::new()?;
    while followers.streams.len() < count {
        followers.open(port, BATCH.min(count - followers.streams.len()))?;
        followers.until(1)?;
    }
    let mut millis = Vec::new();
    for round in 0..rounds {
        let zxid = registrar.set(round % 10)?;
        let acknowledged = Instant::now();
        followers.until(zxid)?;
        millis.push(acknowledged.elapsed().as_millis());
    }
    let each = resident(&ensemble).saturating_sub(before) as f64 / count as f64 / 1024.0;
    millis.sort_unstable();
    let (median, worst) = (millis[millis.len() / 2], millis[millis.len() - 1]);
    println!(
        "{count} followers of one service at one member, {rounds} changes: all told after {median} ms (median), \
         {worst} ms (worst); {each:.1} KiB resident each"
    );
    options.promised("a change told to all followers", worst <= WORST_MILLIS)?;
    options.promised("memory for each follower", each <= EACH_KIB)
}
