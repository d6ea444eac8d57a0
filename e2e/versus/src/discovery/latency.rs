//! How long after a create is acknowledged its event has come whole to a follower, at each member in turn.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use super::Options;
use super::service::{INSTANCES, PATH, Registrar, local};
use super::stream::{Events, request};

const CREATES: usize = 1000;

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

pub(super) fn run(options: &Options) -> Result<()> {
    let ensemble = options.start(3)?;
    let mut registrar = Registrar::start(&ensemble)?;
    let mut micros = Vec::new();
    for member in 0..ensemble.members.len() {
        let (tell, heard) = mpsc::channel();
        let port = ensemble.plan.http_port(member);
        let following = thread::spawn(move || follow(port, &tell));
        let until = |zxid: i64| loop {
            let (newest, at) = heard.recv_timeout(Duration::from_secs(10)).context("nothing was heard")?;
            if newest >= zxid {
                return anyhow::Ok(at);
            }
        };
        until(0)?;
        let creates = if options.short { 20 } else { CREATES.div_ceil(ensemble.members.len()) };
        for _ in 0..creates {
            let zxid = registrar.register(INSTANCES)?;
            let acknowledged = Instant::now();
            micros.push(until(zxid)?.saturating_duration_since(acknowledged).as_micros());
            let removed = registrar.remove(INSTANCES)?;
            until(removed)?;
        }
        drop(heard);
        registrar.set(0)?;
        following.join().map_err(|_| anyhow!("a follower panicked"))??;
    }
    micros.sort_unstable();
    let at = |share: usize| micros[(micros.len() - 1) * share / 1000];
    println!(
        "create acknowledged to last byte at a follower, {} creates [µs]: median {}, p99 {}, worst {}",
        micros.len(),
        at(500),
        at(990),
        at(1000)
    );
    Ok(())
}
