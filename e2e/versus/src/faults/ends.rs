//! How a recorded run begins and ends: the znodes that the workload expects, and the last look at every member.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use super::mix::{Mix, REGISTERS, ROOTS, halves, register};
use super::worker::{Manner, Shared, Worker};
use crate::client::{self, Client};
use crate::history::{Answer, Call, ClientHistory, Entry, History, Op, Reply, What, parent};
use crate::wire::op;

/// The znodes that the workload expects, recorded like everything else.
pub(crate) fn prepare(shared: &Arc<Shared>) -> Result<ClientHistory> {
    let mut history = ClientHistory::default();
    let asked = shared.now();
    let mut client = Client::open(client::resolve(&shared.servers[0])?, 30_000)?;
    let (session, conn) = (client.attach.session, 1);
    history.entries.push(Entry {
        at: shared.now(),
        session,
        conn,
        what: What::Attached { asked, timeout_ms: client.attach.timeout_ms },
    });
    let mut mix = Mix::new(1000);
    let paths = ROOTS.iter().map(|root| (*root).to_owned()).chain((0..REGISTERS).map(register)).chain(halves());
    for path in paths {
        let value = mix.value();
        let sent = shared.now();
        let answer = client.call(op::CREATE, |w| {
            w.string(&path);
            w.buffer(Some(&value.to_be_bytes()));
            coordd_proto::Acl::encode_list(&[coordd_proto::Acl::world(coordd_proto::Perms::ALL)], w);
            w.i32(0);
        })?;
        ensure!(answer.err == 0, "create {path} was answered with {}", answer.err);
        let op = Op::Create { path: path.clone(), value, flags: 0 };
        let reply = Some(Reply { at: shared.now(), zxid: answer.zxid, answer: Answer::Created { path } });
        history.calls.push(Call { session, conn, sent, op, reply });
        let what = What::Answered(history.calls.len() - 1);
        history.entries.push(Entry { at: shared.now(), session, conn, what });
    }
    for server in &shared.servers {
        Client::open(client::resolve(server)?, 30_000)?.call(op::SYNC, |w| w.string("/")).context("sync")?;
    }
    Ok(history)
}

/// Every znode that ever was, read on each of these members after a sync, by the client of that number. Then those that
/// are there and that nobody was told of, so that each value that came of an unknown outcome is known.
pub(crate) fn last_look(shared: &Arc<Shared>, history: &History, members: &[String], number: usize) -> ClientHistory {
    let created = history.calls().flat_map(Call::outcomes).filter_map(|(_, answer)| match answer {
        Answer::Created { path } => Some(path),
        _ => None,
    });
    let paths: BTreeSet<String> = created.collect();
    let parents: BTreeSet<&str> = paths.iter().map(|path| parent(path)).filter(|p| *p != "/").collect();
    let read = |path: &String| Op::Get { path: path.clone(), watch: false };
    let mut ops = vec![Op::Sync { path: "/".to_owned() }];
    ops.extend(parents.iter().map(|path| Op::Children { path: (*path).to_owned(), watch: false }));
    ops.extend(paths.iter().map(read));
    let mut worker = Worker::new(shared.clone(), number, 0, Manner::ROUGH);
    worker.read_all(members, &ops);
    let others: Vec<Op> = listed(worker.history()).difference(&paths).map(read).collect();
    if !others.is_empty() {
        worker.read_all(members, &others);
    }
    worker.end()
}

/// All that listings name.
fn listed(history: &ClientHistory) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for call in &history.calls {
        let Some(Reply { answer: Answer::Children { names }, .. }) = &call.reply else { continue };
        paths.extend(names.iter().map(|name| format!("{}/{name}", call.op.path())));
    }
    paths
}
