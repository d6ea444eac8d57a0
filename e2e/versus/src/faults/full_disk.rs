//! A file system that fills up under a member, and what its clients must be told meanwhile.
//!
//! ```text
//!   ballast up to the last byte ─► a create is refused by an error, a read is answered ─► ballast gone ─► creates go
//! ```
//!
//! Rule: a refusal is an answer, not a lost connection. Reason: a client that loses its connection does not know
//! whether it was heard, and a full disk is no reason to leave it in doubt.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result, ensure};
use coordd_proto::{Acl, Perms};

use crate::client::Client;
use crate::servers::Ensemble;
use crate::wire::op;

/// How long a member may take to notice.
const NOTICE_MAX: Duration = Duration::from_secs(10);
const FULL_FOR: Duration = Duration::from_secs(3);

pub(super) fn fill(ensemble: &Ensemble, member: usize) -> Result<()> {
    let ballast = ensemble.members[member].dir.join("ballast");
    let server = ensemble.members[member].client;
    let filled = pour(&ballast).and_then(|()| told_and_served(server));
    thread::sleep(FULL_FOR);
    fs::remove_file(&ballast)?;
    filled.context("while the disk was full")?;
    until("a create passes again", || Ok(create(&mut Client::open(server, 4000)?)? == 0))
}

/// Fills the file system that the file is on.
fn pour(ballast: &std::path::Path) -> Result<()> {
    let mut file = File::create(ballast)?;
    for size in [1 << 20, 4 << 10, 1] {
        let piece = vec![0x5a; size];
        while file.write_all(&piece).is_ok() {}
    }
    Ok(())
}

fn told_and_served(server: SocketAddr) -> Result<()> {
    until("a create is refused", || {
        let mut client = Client::open(server, 4000)?;
        let refused = create(&mut client)? != 0;
        let read = client.call(op::GET_DATA, |w| {
            w.string("/r/00");
            w.bool(false);
        })?;
        ensure!(read.err == 0, "a read was answered with {}", read.err);
        Ok(refused)
    })
}

/// The code that a create is answered with.
fn create(client: &mut Client) -> Result<i32> {
    let answer = client.call(op::CREATE, |w| {
        w.string("/full-");
        w.buffer(Some(&[0; 64]));
        Acl::encode_list(&[Acl::world(Perms::ALL)], w);
        w.i32(3);
    })?;
    Ok(answer.err)
}

fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let begin = Instant::now();
    loop {
        let last = holds();
        if matches!(last, Ok(true)) {
            return Ok(());
        }
        if begin.elapsed() > NOTICE_MAX {
            last.with_context(|| format!("waiting until {what}"))?;
        }
        ensure!(begin.elapsed() < NOTICE_MAX, "{what}: not within {NOTICE_MAX:?}");
        thread::sleep(Duration::from_millis(100));
    }
}
