//! Members on file systems that are really full: who may still write, who reads on, and that all is well again when
//! there is room.
//!
//! Rule: each member has a small tmpfs of its own, which only root may mount; elsewhere a test says that it was
//! skipped, and why.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod support;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use coordd_proto::CreateMode;
use coordd_testkit::{Client, Ensemble, Member, eventually};

/// ZooKeeper's SYSTEMERROR, which refuses what the disk has no room for (design D21).
const REFUSED: i32 = -1;
/// Segments that lie ready count as free, so the least that must be free is more than those hold.
const SETTINGS: [&str; 6] =
    ["--log-segment-bytes", "1048576", "--max-frame-bytes", "409600", "--min-free-bytes", "4194304"];
/// A write of which a segment holds ten.
static LARGE: [u8; 100_000] = [0x5a; 100_000];

/// Three members, each on a file system of 16 MiB that is gone when the test ends.
struct Small {
    ensemble: Ensemble,
    mounted: Vec<PathBuf>,
}

impl Small {
    fn start() -> Result<Small, String> {
        let ensemble = Ensemble::prepare(Path::new(support::COORDD), 3, &SETTINGS).unwrap();
        let mut small = Small { ensemble, mounted: Vec::new() };
        for member in &small.ensemble.members {
            fs::create_dir_all(&member.data_dir).unwrap();
            let mut mount = Command::new("mount");
            mount.args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(&member.data_dir);
            match mount.output() {
                Ok(output) if output.status.success() => small.mounted.push(member.data_dir.clone()),
                Ok(output) => return Err(String::from_utf8_lossy(&output.stderr).into_owned()),
                Err(error) => return Err(error.to_string()),
            }
        }
        small.ensemble.members.iter_mut().for_each(|member| member.start().unwrap());
        small.ensemble.wait_until_all_serve();
        Ok(small)
    }

    fn member(&self, index: usize) -> &Member {
        &self.ensemble.members[index]
    }

    fn client(&self, index: usize) -> Client {
        Client::connect(&self.member(index).client, 20_000).unwrap()
    }

    /// Leaves no byte free on a member's file system.
    fn fill(&self, index: usize) {
        let mut ballast = File::create(self.member(index).data_dir.join("ballast")).unwrap();
        for size in [1 << 20, 4 << 10, 1] {
            let piece = vec![0x5a; size];
            while ballast.write_all(&piece).is_ok() {}
        }
    }

    fn make_room(&self, index: usize) {
        fs::remove_file(self.member(index).data_dir.join("ballast")).unwrap();
    }

    fn wait_until_ready(&self) {
        for member in &self.ensemble.members {
            let ready = || member.http_get("/readyz").filter(|(status, _)| *status == 200);
            eventually(&format!("{} to be ready", member.name), ready);
        }
    }

    /// No member ended in the meantime.
    fn all_lived_through_it(&self) {
        for member in &self.ensemble.members {
            assert!(!member.log().contains("consensus has stopped"), "{}: {}", member.name, member.log());
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        self.ensemble.members.iter_mut().for_each(Member::kill);
        for dir in &self.mounted {
            let _ = Command::new("umount").arg("-l").arg(dir).status();
        }
    }
}

/// The members, or `None` where none can be had.
fn three_small_members() -> Option<Small> {
    Small::start().inspect_err(|why| println!("skipped: no tmpfs can be mounted: {why}")).ok()
}

#[test]
fn a_follower_whose_log_finds_no_room_says_so_holds_up_nobody_and_catches_up_when_there_is_some() {
    let Some(small) = three_small_members() else { return };
    let (leader, full) = (small.ensemble.leader(), small.ensemble.followers()[0]);
    let mut client = small.client(leader);
    client.create("/a", b"", CreateMode::Persistent).unwrap().unwrap();
    small.fill(full);
    for _ in 0..60 {
        client.set("/a", &LARGE, -1).unwrap().unwrap();
    }
    let says = |(status, why): &(u16, String)| *status == 503 && why.contains("disk") && why.contains("full");
    eventually("the full member to say why it is not ready", || small.member(full).http_get("/readyz").filter(says));
    assert_eq!(client.set("/a", b"last", -1).unwrap().unwrap().version, 61);
    small.make_room(full);
    small.wait_until_ready();
    let mut late = small.client(full);
    late.sync().unwrap().unwrap();
    assert_eq!(late.get("/a", false).unwrap().unwrap().0, b"last");
    small.all_lived_through_it();
}

#[test]
fn a_leader_whose_disk_is_full_hands_over_to_a_member_with_room() {
    let Some(small) = three_small_members() else { return };
    let (leader, other) = (small.ensemble.leader(), small.ensemble.followers()[0]);
    let mut client = small.client(other);
    client.create("/a", b"", CreateMode::Persistent).unwrap().unwrap();
    small.fill(leader);
    for _ in 0..60 {
        client.set("/a", &LARGE, -1).unwrap().unwrap();
    }
    let moved = || (0..3).find(|index| small.member(*index).mode().as_deref() == Some("leader"));
    eventually("another member to lead", || moved().filter(|now| *now != leader));
    assert_eq!(client.set("/a", b"last", -1).unwrap().unwrap().version, 61);
    small.make_room(leader);
    small.wait_until_ready();
    small.all_lived_through_it();
}

#[test]
fn while_most_disks_are_full_writes_are_refused_by_an_answer_and_reads_go_on() {
    let Some(small) = three_small_members() else { return };
    let mut clients: Vec<Client> = (0..3).map(|index| small.client(index)).collect();
    clients[0].create("/a", b"first", CreateMode::Persistent).unwrap().unwrap();
    let full = small.ensemble.followers();
    let with_room = small.ensemble.leader();
    full.iter().for_each(|index| small.fill(*index));
    for client in &mut clients {
        let refused = || (client.set("/a", b"", -1).unwrap() == Err(REFUSED)).then_some(());
        eventually("a set to be refused", refused);
        assert!(client.get("/a", false).unwrap().is_ok(), "reads go on");
    }
    std::thread::sleep(Duration::from_secs(4));
    for client in &mut clients {
        assert!(client.get("/a", false).unwrap().is_ok(), "reads go on for as long as it lasts");
    }
    small.make_room(full[0]);
    let taken = || clients[with_room].set("/a", b"again", -1).unwrap().ok();
    eventually("a set to be taken once most members have room", taken);
    small.make_room(full[1]);
    small.wait_until_ready();
    let taken = || clients[full[1]].set("/a", b"and everywhere", -1).unwrap().ok();
    eventually("a set to be taken where the disk was full", taken);
    small.all_lived_through_it();
}
