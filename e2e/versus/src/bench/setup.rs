//! What the scenarios need to be there before they measure.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use coordd_proto::jute::Reader;
use coordd_proto::{Acl, Perms};

use super::scenario::Context;
use super::workload::{slot_path, value};
use crate::client::{Client, Incoming};
use crate::wire::op;

/// Sessions of the generator live long: a pause of the machine must not end a measurement.
pub const SESSION_MS: i32 = 30_000;

/// Fresh persistent znodes, made in this order and known to every member.
pub fn make(context: &Context<'_>, paths: impl IntoIterator<Item = String>) -> Result<()> {
    let mut client = Client::open(context.ensemble.members[0].client, SESSION_MS)?;
    remove_all(&mut client, "/bench")?;
    create(&mut client, "/bench");
    paths.into_iter().for_each(|path| create(&mut client, &path));
    settle(&mut client)?;
    sync_all(context)
}

/// Every member has seen what was answered so far.
pub fn sync_all(context: &Context<'_>) -> Result<()> {
    for member in &context.ensemble.members {
        Client::open(member.client, SESSION_MS)?.call(op::SYNC, |w| w.string("/bench"))?;
    }
    Ok(())
}

/// Fresh znodes `/bench/cNNN/kMM`, each with the value of version 0.
pub fn make_znodes(context: &Context<'_>, conns: usize, per_conn: usize) -> Result<()> {
    let mut paths = Vec::new();
    for conn in 0..conns {
        let slot = slot_path(conn, 0);
        paths.push(slot.rsplit_once('/').context("path")?.0.to_owned());
        paths.extend((0..per_conn).map(|slot| slot_path(conn, slot)));
    }
    make(context, paths)
}

fn create(client: &mut Client, path: &str) {
    client.send(op::CREATE, |w| {
        w.string(path);
        w.buffer(Some(&value(0)));
        Acl::encode_list(&[Acl::world(Perms::ALL)], w);
        w.i32(0);
    });
}

/// Sends what is queued and waits until all of it is answered without an error.
fn settle(client: &mut Client) -> Result<()> {
    client.flush()?;
    while client.outstanding() > 0 {
        if let Incoming::Answer(answer) = client.receive(Duration::from_secs(30))?.context("no reply in 30 s")? {
            ensure!(answer.err == 0, "op {} in preparation was answered with {}", answer.op, answer.err);
        }
    }
    Ok(())
}

/// Removes a znode and all below it.
fn remove_all(client: &mut Client, root: &str) -> Result<()> {
    let mut found = vec![root.to_owned()];
    let mut next = 0;
    while let Some(path) = found.get(next).cloned() {
        next += 1;
        let answer = client.call(op::GET_CHILDREN, |w| {
            w.string(&path);
            w.bool(false);
        })?;
        let mut body = Reader::new(&answer.body);
        let count = if answer.err == 0 { body.count(4)?.unwrap_or(0) } else { 0 };
        if answer.err != 0 {
            found.retain(|p| *p != path);
            next -= 1;
        }
        for _ in 0..count {
            found.push(format!("{path}/{}", body.string()?.unwrap_or_default()));
        }
    }
    for path in found.iter().rev() {
        client.send(op::DELETE, |w| {
            w.string(path);
            w.i32(-1);
        });
    }
    settle(client)
}
