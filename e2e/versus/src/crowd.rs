//! `versus crowd`: registers as many instances as it is told to, and tells when each was acknowledged.
//!
//! ```text
//!   GET /add/FROM/TO/PATH…      instances FROM to TO - 1 under /PATH…, all on their way at once    ─► {address: when}
//!   GET /remove/FROM/TO/PATH…   they go                                                             ─► {address: when}
//! ```
//!
//! Rule: nobody is at the addresses, which count up from 100.64.0.0; when is in microseconds of this machine's clock.
//! Reason: what is measured is how soon others know, and three nodes have no room for a thousand applications.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::client::{Client, Incoming, resolve};
use crate::instance::{EPHEMERAL, NODE_EXISTS, creation, curators, parents};
use crate::told;
use crate::wire::op;

/// The first address of the network that providers share, which no cluster gives to a pod.
const FIRST: Ipv4Addr = Ipv4Addr::new(100, 64, 0, 0);
const PORT: u16 = 7000;
const PING: Duration = Duration::from_secs(5);
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// So many requests are on their way at once.
const BATCH: usize = 500;

#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Where the session is opened, `host:port`
    #[arg(long)]
    pub server: String,
    #[arg(long, default_value_t = 30_000)]
    pub session_ms: i32,
    #[arg(long, default_value = "[::]:7000")]
    pub listen: SocketAddr,
}

pub fn run(options: &Options) -> Result<()> {
    let listener = TcpListener::bind(options.listen)?;
    let client = Arc::new(Mutex::new(Client::open(resolve(&options.server)?, options.session_ms)?));
    let pinged = Arc::clone(&client);
    thread::spawn(move || {
        loop {
            let pong = mine(&pinged).call(op::PING, |_| {});
            if pong.is_err() {
                break;
            }
            thread::sleep(PING);
        }
        eprintln!("the connection is lost, and with it the crowd");
    });
    told::serve(&listener, move |words| Ok(serde_json::to_string(&obey(&mut mine(&client), words)?)?));
    Ok(())
}

fn mine(client: &Mutex<Client>) -> MutexGuard<'_, Client> {
    client.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What there is to do, and when each of it was acknowledged.
fn obey(client: &mut Client, words: &[&str]) -> Result<BTreeMap<Ipv4Addr, u128>> {
    let [deed @ ("add" | "remove"), from, to, path @ ..] = words else { bail!("{words:?} is not understood") };
    let numbers: Vec<u32> = (from.parse()?..to.parse()?).collect();
    let path = format!("/{}", path.join("/"));
    if *deed == "add" {
        parents(client, &path)?;
    }
    let mut when = BTreeMap::new();
    for batch in numbers.chunks(BATCH) {
        for &number in batch {
            let (znode, address) = (format!("{path}/i{number}"), address(number));
            if *deed == "add" {
                let data = curators(&path, &format!("i{number}"), &address.to_string(), PORT, true);
                client.send(op::CREATE, creation(&znode, &data, EPHEMERAL));
            } else {
                client.send(op::DELETE, |w| {
                    w.string(&znode);
                    w.i32(-1);
                });
            }
        }
        client.flush()?;
        for &number in batch {
            when.insert(address(number), acknowledged(client)?);
        }
    }
    Ok(when)
}

/// When the next answer came.
fn acknowledged(client: &mut Client) -> Result<u128> {
    loop {
        match client.receive(ANSWER_MAX)?.context("no answer")? {
            Incoming::Event(_) => {}
            Incoming::Answer(answer) => {
                ensure!(answer.err == 0 || answer.err == NODE_EXISTS, "the answer is {}", answer.err);
                return Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros());
            }
        }
    }
}

/// Where the instance of that number says it is.
pub fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(FIRST.to_bits() + number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_count_up_through_their_network() {
        assert_eq!(address(1), Ipv4Addr::new(100, 64, 0, 1));
        assert_eq!(address(1000), Ipv4Addr::new(100, 64, 3, 232));
    }
}
