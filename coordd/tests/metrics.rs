//! The figures of real members: what a leader says of the others, and what a member says of its disk.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod support;

use coordd_proto::CreateMode;
use coordd_testkit::{Client, Member, eventually};
use support::{ensemble, figure};

/// Waits until a figure is what it should be.
fn comes_to(member: &Member, name: &str, wanted: f64) {
    eventually(&format!("{name} of {wanted}"), || (figure(member, name)? == wanted).then_some(()));
}

#[test]
fn a_leader_counts_only_those_that_are_there_as_synced_and_says_how_far_each_is_behind() {
    let mut ensemble = ensemble(3);
    let (leader, dead) = (ensemble.leader(), ensemble.followers()[0]);
    let lag_of_dead = format!("{}_peer_lag_entries", ensemble.members[dead].name);
    comes_to(&ensemble.members[leader], "synced_followers", 2.0);
    comes_to(&ensemble.members[leader], &lag_of_dead, 0.0);
    ensemble.members[dead].kill();
    comes_to(&ensemble.members[leader], "synced_followers", 1.0);
    comes_to(&ensemble.members[leader], "learners", 1.0);
    let mut client = Client::connect(&ensemble.members[leader].client, 10_000).unwrap();
    for n in 0..10 {
        client.create(&format!("/{n}"), b"", CreateMode::Persistent).unwrap().unwrap();
    }
    let behind = || figure(&ensemble.members[leader], &lag_of_dead).filter(|lag| *lag >= 10.0);
    eventually("the dead member to be behind", behind);
    ensemble.members[dead].start().unwrap();
    comes_to(&ensemble.members[leader], "synced_followers", 2.0);
    comes_to(&ensemble.members[leader], &lag_of_dead, 0.0);
    let follower = &ensemble.members[ensemble.followers()[0]];
    assert_eq!(figure(follower, "synced_followers"), None, "only a leader shows it");
}
