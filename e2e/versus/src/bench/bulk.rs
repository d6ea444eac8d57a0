//! Many znodes at once: `/a/bNNNN/cNNN` with 64 bytes each.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use coordd_proto::{Acl, Perms};

use super::expect;
use super::setup::SESSION_MS;
use crate::client::Client;
use crate::load::{Conn, Engine, Load, Pending};
use crate::wire::{Attach, Reply, op};

const PER_PARENT: usize = 1000;
const CONNS: usize = 6;
const IN_FLIGHT: usize = 128;

struct Bulk {
    next: usize,
    total: usize,
    made: usize,
}

fn path(nth: usize) -> String {
    format!("/a/b{:03}/c{:03}", nth / PER_PARENT, nth % PER_PARENT)
}

impl Bulk {
    fn ask(&mut self, conn: &mut Conn) {
        if self.next < self.total {
            conn.send(op::CREATE, self.next as u64, |w| {
                w.string(&path(self.next));
                w.buffer(Some(&[b'v'; 64]));
                Acl::encode_list(&[Acl::world(Perms::ALL)], w);
                w.i32(0);
            });
            self.next += 1;
        }
    }
}

impl Load for Bulk {
    fn opened(&mut self, conn: &mut Conn) -> Result<()> {
        (0..IN_FLIGHT).for_each(|_| self.ask(conn));
        Ok(())
    }

    fn reply(&mut self, conn: &mut Conn, request: Pending, reply: &Reply<'_>) -> Result<()> {
        expect::created(reply, &path(usize::try_from(request.tag)?))?;
        self.made += 1;
        self.ask(conn);
        Ok(())
    }

    fn done(&self) -> bool {
        self.made == self.total
    }
}

/// Fills the tree by way of all of these servers.
pub fn fill(servers: &[SocketAddr], total: usize) -> Result<()> {
    let mut client = Client::open(servers[0], SESSION_MS)?;
    let parents = (0..total.div_ceil(PER_PARENT)).map(|parent| format!("/a/b{parent:03}"));
    for path in ["/a".to_owned()].into_iter().chain(parents) {
        let answer = client.call(op::CREATE, |w| {
            w.string(&path);
            w.buffer(Some(b""));
            Acl::encode_list(&[Acl::world(Perms::ALL)], w);
            w.i32(0);
        })?;
        expect::created(&answer.reply(), &path)?;
    }
    for server in servers {
        Client::open(*server, SESSION_MS)?.call(op::SYNC, |w| w.string("/a")).context("sync")?;
    }
    let mut engine = Engine::new(Duration::from_millis(50))?;
    for i in 0..CONNS {
        engine.add(servers[i % servers.len()], Attach::new_session(SESSION_MS));
    }
    let mut load = Bulk { next: 0, total, made: 0 };
    let limit = Duration::from_secs(900);
    ensure!(engine.run(&mut load, limit)?, "{} of {total} znodes after {limit:?}", load.made);
    Ok(())
}
