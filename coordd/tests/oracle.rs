//! The oracle over D7: real members, real faults, and afterwards the logs themselves are asked what was accepted.
//!
//! ```text
//!   writers on every member ══ kill −9, SIGSTOP, transfer, cut ══► all stopped ─► each member's log ─► replayed
//!     told, unknown ────────────────────────────────────────────────────────► compared with what was accepted
//! ```
//!
//! Rule: each (member, boot, sequence) is accepted once and in order, alike on all members; what a client was told is
//! accepted once, what it was not told at most once. Reason: this is what a client of a surviving member relies on when
//! its writes are sent again.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

#[path = "oracle/tally.rs"]
mod tally;
#[path = "oracle/writer.rs"]
mod writer;

mod support;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use coordd::raft::inspect::{self, Asked, Logged};
use coordd_proto::request::Request;
use coordd_proto::{CreateMode, OpCode};
use coordd_testkit::{Client, Ensemble, Member, eventually};
use coordd_tree::{Op, Outcome, State};

use support::{admin, ensemble};
use tally::Tally;
use writer::Book;

/// So many that a leader and one follower are no majority.
const MEMBERS: usize = 4;
const ROUNDS: usize = 2;
const CUTS: usize = 4;
const WRITERS: usize = 6;
const BETWEEN_FAULTS: Duration = Duration::from_millis(400);
/// Shorter than what makes a leader look dead.
const PAUSE: Duration = Duration::from_millis(60);

/// What one member's log comes to.
struct Replayed {
    tally: Tally,
    digest: u64,
    /// (path, number) → how often it was accepted.
    numbers: BTreeMap<(String, u64), u64>,
}

fn number_set(op: &Op) -> Option<(String, u64)> {
    let Op::Client { op: OpCode::SetData, record } = op else { return None };
    let Ok(Request::SetData(set)) = Request::decode(OpCode::SetData, record) else { return None };
    let number = std::str::from_utf8(set.data?).ok()?.parse().ok()?;
    Some((set.path.to_string(), number))
}

/// Applies a log as a member does, and lets the oracle look at each decision.
fn replay(log: &[Logged]) -> Replayed {
    let (mut state, mut changes) = (State::new(), Vec::new());
    let (mut tally, mut numbers) = (Tally::default(), BTreeMap::new());
    for entry in log {
        let zxid = entry.zxid(state.zxid_base());
        match &entry.asked {
            Asked::Nothing => state.noop(zxid),
            Asked::Members(rows) => state.apply_membership(zxid, rows, &mut changes),
            Asked::Command(command) => {
                let accepted = !matches!(state.apply(zxid, command, &mut changes), Outcome::Refused(_));
                tally.add(entry.id.index, command.origin, accepted).unwrap_or_else(|wrong| panic!("{wrong:?}"));
                if let Some(number) = number_set(&command.op).filter(|_| accepted) {
                    *numbers.entry(number).or_default() += 1;
                }
            }
        }
        changes.clear();
    }
    Replayed { tally, digest: state.digest(), numbers }
}

fn kill_and_start(ensemble: &mut Ensemble, member: usize) {
    ensemble.members[member].kill();
    thread::sleep(BETWEEN_FAULTS);
    ensemble.members[member].start().unwrap();
}

fn pause_the_leader(ensemble: &Ensemble) {
    let leader = ensemble.leader();
    ensemble.members[leader].pause();
    let leads = |i: &usize| *i != leader && ensemble.members[*i].mode().as_deref() == Some("leader");
    eventually("another leader", || (0..ensemble.members.len()).find(leads));
    ensemble.members[leader].resume();
}

fn transfer(ensemble: &Ensemble) {
    let leader = ensemble.leader();
    // It may be refused while a member catches up; a fault more or less.
    let moved = admin(&ensemble.members[leader], &["transfer"]);
    println!(
        "transfer: {}",
        String::from_utf8_lossy(if moved.status.success() { &moved.stdout } else { &moved.stderr })
    );
}

/// Breaks all links between members, under the same leader and in the same term, while all but one of its followers
/// are paused: the leader holds what that one forwarded, which the two alone cannot commit, and meanwhile the follower
/// sends all of it again. How many links there were; none where the kernel does not let sockets be killed.
fn cut_all_links(ensemble: &Ensemble) -> usize {
    let followers = ensemble.followers();
    let paused: Vec<&Member> = followers[1..].iter().map(|follower| &ensemble.members[*follower]).collect();
    paused.iter().for_each(|member| member.pause());
    let port = |member: &Member| format!("dport = {}", member.peer.rsplit_once(':').unwrap().1);
    let ports: Vec<String> = ensemble.members.iter().map(port).collect();
    let killed = Command::new("ss").args(["-H", "-K", "-t", "state", "established", &ports.join(" or ")]).output();
    let cut = killed.map_or(0, |output| String::from_utf8_lossy(&output.stdout).lines().count());
    println!("cut {cut} links");
    thread::sleep(PAUSE);
    paused.iter().for_each(|member| member.resume());
    cut
}

/// How many links were cut.
fn inject_faults(ensemble: &mut Ensemble) -> usize {
    let mut cut = 0;
    for _ in 0..ROUNDS {
        for _ in 0..CUTS {
            cut += cut_all_links(ensemble);
            thread::sleep(BETWEEN_FAULTS / 2);
        }
        let leader = ensemble.leader();
        kill_and_start(ensemble, leader);
        ensemble.wait_until_all_serve();
        thread::sleep(BETWEEN_FAULTS);
        pause_the_leader(ensemble);
        ensemble.wait_until_all_serve();
        thread::sleep(BETWEEN_FAULTS);
        transfer(ensemble);
        thread::sleep(BETWEEN_FAULTS);
        let follower = ensemble.followers()[0];
        kill_and_start(ensemble, follower);
        ensemble.wait_until_all_serve();
        thread::sleep(BETWEEN_FAULTS);
    }
    cut
}

/// What the writers were told, and how many links were cut.
fn write_under_faults(ensemble: &mut Ensemble) -> (Vec<Book>, usize) {
    let mut first = Client::connect(&ensemble.members[0].client, 6000).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for i in 0..WRITERS {
        let path = format!("/w{i}");
        first.create(&path, b"", CreateMode::Persistent).unwrap().unwrap();
        let member = &ensemble.members[i % ensemble.members.len()];
        writers.push(writer::start(member.client.clone(), path, stop.clone()));
    }
    let cut = inject_faults(ensemble);
    stop.store(true, Ordering::Relaxed);
    (writers.into_iter().map(|writer| writer.join().unwrap()).collect(), cut)
}

/// The logs up to where all members have applied them, which is all that was ever answered.
fn stop_and_read(mut ensemble: Ensemble) -> Vec<Vec<Logged>> {
    for member in &ensemble.members {
        Client::connect(&member.client, 6000).unwrap().sync().unwrap().unwrap();
    }
    ensemble.members.iter_mut().for_each(|member| member.kill());
    let mut logs: Vec<_> = ensemble.members.iter().map(|member| inspect::entries(&member.data_dir).unwrap()).collect();
    let common = logs.iter().map(Vec::len).min().unwrap();
    logs.iter_mut().for_each(|log| log.truncate(common));
    logs
}

fn assert_books_agree(books: &[Book], numbers: &BTreeMap<(String, u64), u64>) {
    let times = |path: &str, number: u64| numbers.get(&(path.to_owned(), number)).copied().unwrap_or(0);
    let mut accepted = 0;
    for Book { path, told, unknown } in books {
        for number in told {
            assert_eq!(times(path, *number), 1, "{path}: the client was told of {number}");
        }
        for number in unknown {
            assert!(times(path, *number) <= 1, "{path}: {number} happened {} times", times(path, *number));
            accepted += times(path, *number);
        }
        accepted += told.len() as u64;
    }
    assert_eq!(numbers.values().sum::<u64>(), accepted, "what was accepted is what clients sent");
}

#[test]
fn every_write_is_accepted_once_and_in_order_on_all_members_whatever_dies() {
    let mut ensemble = ensemble(MEMBERS);
    let (books, cut) = write_under_faults(&mut ensemble);
    let logs = stop_and_read(ensemble);
    assert!(logs.iter().all(|log| log[0].id.index <= 1), "nothing of the logs was purged");
    assert!(logs.windows(2).all(|pair| pair[0] == pair[1]), "the members have one log");
    let replayed = logs.iter().map(|log| replay(log));
    let Some(first) = replayed.into_iter().reduce(|one, other| {
        assert_eq!((&one.tally, one.digest, &one.numbers), (&other.tally, other.digest, &other.numbers));
        one
    }) else {
        panic!("no logs")
    };
    assert_books_agree(&books, &first.numbers);
    let told: usize = books.iter().map(|book| book.told.len()).sum();
    let unknown: usize = books.iter().map(|book| book.unknown.len()).sum();
    println!(
        "told {told}, unknown {unknown}; sent again and refused {}; {:?}",
        first.tally.refused, first.tally.accepted
    );
    assert!(told > 1000, "too few to mean anything: {told}");
    assert!(first.tally.accepted.keys().filter(|(_, boot)| *boot > 1).count() >= 2, "members came back in new lives");
    assert!(cut == 0 || first.tally.refused > 0, "links were cut and nothing was sent twice: nothing was shown");
}
