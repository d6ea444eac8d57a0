//! `versus bare`: the least that any server of three must do for two rows of the speed table, without a server.
//!
//! ```text
//!   watchers:  client ─► thread 1 ─► threads 2, 3;  each writes one event to its 333 sockets, which are read later
//!   one write: client ─► leader ─► two followers;   each overwrites 512 bytes and calls fdatasync, two of three answer
//! ```
//!
//! Rule: blocking threads, plain sockets, no protocol, nothing encoded. Reason: what is left is the kernel's, and tells
//! how much of a row is the machine.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use mio::{Events, Interest, Poll, Token};

use crate::bench::watchers::QUIET;
use crate::load::arrivals;

const SERVERS: usize = 3;
/// Of each server.
const WATCHERS: usize = 333;
/// Frames of ZooKeeper's protocol for a znode `/bench/watched`: a getData with a watch, its answer, an event.
const ASK: [u8; 31] = [1; 31];
const ANSWER: [u8; 96] = [2; 96];
const EVENT: [u8; 46] = [3; 46];
const ROUNDS: usize = 40;
const WRITES: usize = 2000;
const LOG_BYTES: usize = 16 << 20;
const BLOCK: usize = 512;

#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Where the files of the writes are; on the disk that the servers are measured on
    #[arg(long, default_value = "target/versus/data")]
    pub dir: PathBuf,
}

pub fn run(options: &Options) -> Result<()> {
    std::fs::create_dir_all(&options.dir)?;
    let told =
        watchers(WATCHERS, ROUNDS).context("both ends of 999 connections are files of this process: ulimit -n")?;
    println!("999 watchers told, median [ms]: {:.3}", told / 1e3);
    println!("one write at a time, median [µs]: {:.0}", one_write(&options.dir, WRITES)?);
    Ok(())
}

fn median_us(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    Ok((near, far))
}

/// One server's threads end when the stream that orders them does.
fn server(mut orders: TcpStream, mut pass_on: Vec<TcpStream>, mut sockets: Vec<TcpStream>) -> Result<()> {
    let mut order = [0];
    while orders.read_exact(&mut order).is_ok() {
        for next in &mut pass_on {
            next.write_all(&order)?;
        }
        if order[0] == b'e' {
            sockets.iter_mut().try_for_each(|socket| socket.write_all(&EVENT))?;
        } else {
            let mut ask = ASK;
            for socket in &mut sockets {
                socket.read_exact(&mut ask)?;
                socket.write_all(&ANSWER)?;
            }
        }
    }
    Ok(())
}

/// Median time in microseconds until all are told, of so many rounds with so many watchers of each server.
fn watchers(of_each: usize, rounds: usize) -> Result<f64> {
    let mut poll = Poll::new()?;
    let mut watching = Vec::new();
    let mut parts = Vec::new();
    for _ in 0..SERVERS {
        let mut sockets = Vec::new();
        for _ in 0..of_each {
            let (near, far) = pair()?;
            near.set_nonblocking(true)?;
            let mut near = mio::net::TcpStream::from_std(near);
            arrivals::ask(&near)?;
            poll.registry().register(&mut near, Token(watching.len()), Interest::READABLE)?;
            watching.push(near);
            sockets.push(far);
        }
        parts.push(sockets);
    }
    let (mut client, first) = pair()?;
    let links = [pair()?, pair()?];
    let [(to_second, second), (to_third, third)] = links;
    let mut orders = vec![(first, vec![to_second, to_third]), (second, Vec::new()), (third, Vec::new())];
    thread::scope(|scope| {
        let servers: Vec<_> = orders
            .drain(..)
            .zip(parts.drain(..))
            .map(|((orders, pass_on), sockets)| scope.spawn(move || server(orders, pass_on, sockets)))
            .collect();
        let mut times = Vec::new();
        for _ in 0..rounds {
            client.write_all(b"a")?;
            for socket in &mut watching {
                socket.write_all(&ASK)?;
            }
            read_all(&mut poll, &mut watching, ANSWER.len())?;
            let begin = SystemTime::now().duration_since(UNIX_EPOCH)?;
            client.write_all(b"e")?;
            thread::sleep(QUIET);
            let last = read_all(&mut poll, &mut watching, EVENT.len())?;
            times.push(last.checked_sub(begin).context("the clock went back")?.as_secs_f64() * 1e6);
        }
        drop(client);
        servers.into_iter().try_for_each(|s| s.join().map_err(|_| anyhow!("a server panicked"))?)?;
        Ok(median_us(times))
    })
}

/// Reads until every socket has given so many bytes; when the last of them arrived, since the epoch of Unix.
fn read_all(poll: &mut Poll, sockets: &mut [mio::net::TcpStream], each: usize) -> Result<Duration> {
    let mut left = sockets.len() * each;
    let mut last = Duration::ZERO;
    let mut events = Events::with_capacity(1024);
    let mut buffer = [0; 4096];
    while left > 0 {
        poll.poll(&mut events, None)?;
        for event in &events {
            let mut arrived = None;
            match arrivals::read(&sockets[event.token().0], &mut buffer, &mut arrived) {
                Ok(n) => left = left.checked_sub(n).context("more than was sent")?,
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e.into()),
            }
            last = last.max(arrived.unwrap_or_default());
        }
    }
    Ok(last)
}

/// A log that is overwritten, as coordd's is.
struct Log {
    file: File,
    at: usize,
}

impl Log {
    fn create(path: &Path) -> Result<Log> {
        let mut file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
        for _ in 0..LOG_BYTES / 4096 {
            file.write_all(&[0; 4096])?;
        }
        file.sync_all()?;
        std::fs::remove_file(path)?;
        Ok(Log { file, at: 0 })
    }

    fn append(&mut self) -> Result<()> {
        self.file.write_all_at(&[1; BLOCK], self.at as u64)?;
        self.at = (self.at + BLOCK) % LOG_BYTES;
        Ok(self.file.sync_data()?)
    }
}

fn follower(mut link: TcpStream, mut log: Log) -> Result<()> {
    let mut entry = [0; 128];
    while link.read_exact(&mut entry).is_ok() {
        log.append()?;
        // The leader goes after the last write with one acknowledgement, and the other meets a closed link.
        if link.write_all(b"k").is_err() {
            break;
        }
    }
    Ok(())
}

fn leader(mut client: TcpStream, followers: [TcpStream; 2], mut log: Log) -> Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(4);
    let mut links = Vec::new();
    for (i, link) in followers.into_iter().enumerate() {
        link.set_nonblocking(true)?;
        let mut link = mio::net::TcpStream::from_std(link);
        poll.registry().register(&mut link, Token(i), Interest::READABLE)?;
        links.push((link, 0));
    }
    let mut entry = [0; 128];
    let mut acks = [0; 16];
    let mut written = 0;
    while client.read_exact(&mut entry).is_ok() {
        for (link, _) in &mut links {
            link.write_all(&entry)?;
        }
        log.append()?;
        written += 1;
        while links.iter().all(|(_, acked)| *acked < written) {
            poll.poll(&mut events, None)?;
            for event in &events {
                let (link, acked) = &mut links[event.token().0];
                match link.read(&mut acks) {
                    Ok(n) => *acked += n,
                    Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(e) => return Err(e.into()),
                }
            }
        }
        client.write_all(b"k")?;
    }
    Ok(())
}

/// Median time of a write in microseconds.
fn one_write(dir: &Path, writes: usize) -> Result<f64> {
    let logs = ["bare-1", "bare-2", "bare-3"].map(|name| Log::create(&dir.join(name)));
    let [mine, second, third] = logs;
    let (mine, second, third) = (mine?, second?, third?);
    let (mut client, served) = pair()?;
    let ((to_second, far_second), (to_third, far_third)) = (pair()?, pair()?);
    thread::scope(|scope| {
        let threads = [
            scope.spawn(move || leader(served, [to_second, to_third], mine)),
            scope.spawn(move || follower(far_second, second)),
            scope.spawn(move || follower(far_third, third)),
        ];
        let mut times = Vec::new();
        let mut answer = [0];
        for _ in 0..writes {
            let begin = Instant::now();
            client.write_all(&[7; 128])?;
            client.read_exact(&mut answer)?;
            times.push(begin.elapsed().as_secs_f64() * 1e6);
        }
        drop(client);
        threads.into_iter().try_for_each(|t| t.join().map_err(|_| anyhow!("a server panicked"))?)?;
        Ok(median_us(times))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_is_told_and_every_write_is_answered() {
        assert!(watchers(4, 3).unwrap() > 0.0);
        let dir = tempfile::tempdir().unwrap();
        assert!(one_write(dir.path(), 5).unwrap() > 0.0);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "its files are left behind");
    }
}
