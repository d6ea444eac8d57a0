//! Shared by the tests on real processes.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod door;
pub(crate) mod http;

use std::path::Path;
use std::process::{Command, Output};

use coordd_testkit::{Ensemble, Member};
use door::Door;

pub(crate) const COORDD: &str = env!("CARGO_BIN_EXE_coordd");
/// Small segments: a test's members share one disk with many others.
const SMALL: [&str; 4] = ["--log-segment-bytes", "4194304", "--min-free-bytes", "1048576"];

pub(crate) fn ensemble(count: usize) -> Ensemble {
    ensemble_with(count, &[])
}

pub(crate) fn ensemble_with(count: usize, extra: &[&str]) -> Ensemble {
    Ensemble::start(COORDD, count, &[&SMALL[..], extra].concat()).unwrap()
}

pub(crate) fn prepare(count: usize) -> Ensemble {
    Ensemble::prepare(Path::new(COORDD), count, &SMALL).unwrap()
}

/// An ensemble whose members reach each other through doors only, in the order of the members.
pub(crate) fn ensemble_behind_doors(count: usize, extra: &[&str]) -> (Ensemble, Vec<Door>) {
    let mut doors = Vec::new();
    let way = |peer: &String| {
        let door = Door::before(peer)?;
        let address = door.address.clone();
        doors.push(door);
        Ok(address)
    };
    let prepared = Ensemble::prepare_with_ways(Path::new(COORDD), count, &[&SMALL[..], extra].concat(), way);
    let mut ensemble = prepared.unwrap();
    ensemble.members.iter_mut().for_each(|member| member.start().unwrap());
    ensemble.wait_until_all_serve();
    (ensemble, doors)
}

/// Starts one more member, which waits to be added. Its index.
pub(crate) fn start_unformed(ensemble: &mut Ensemble) -> usize {
    start_unformed_with(ensemble, &[])
}

pub(crate) fn start_unformed_with(ensemble: &mut Ensemble, extra: &[&str]) -> usize {
    let index = ensemble.add_unformed(&[&SMALL[..], extra].concat()).unwrap();
    ensemble.members[index].start().unwrap();
    index
}

pub(crate) fn coordd(arguments: &[&str]) -> Output {
    Command::new(COORDD).args(arguments).output().unwrap()
}

/// `coordd admin` against one member.
pub(crate) fn admin(member: &Member, arguments: &[&str]) -> Output {
    coordd(&[&["admin", "-s", member.admin.as_str()][..], arguments].concat())
}

/// A figure of `/metrics`, or of `mntr` where that has one more; none where the member does not show it.
pub(crate) fn figure(member: &Member, name: &str) -> Option<f64> {
    let (_, metrics) = member.http_get("/metrics")?;
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
    let of_mntr = || {
        let text = member.four_letter("mntr");
        text.lines()
            .find_map(|line| line.strip_prefix("zk_")?.strip_prefix(name)?.strip_prefix('\t').map(str::to_owned))
    };
    value.or_else(of_mntr)?.parse().ok()
}

/// The ensemble's id, as the member's HTTP port says it.
pub(crate) fn ensemble_id(member: &Member) -> Option<String> {
    let (_, body) = member.http_get("/v1/ensemble")?;
    let (_, rest) = body.split_once("\"ensemble_id\":\"")?;
    rest.split_once('"').map(|(id, _)| id.to_owned())
}
