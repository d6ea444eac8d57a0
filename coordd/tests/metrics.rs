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

#[test]
fn a_member_says_how_long_its_start_took_and_who_came_back_to_it() {
    let mut ensemble = ensemble(1);
    let mut client = Client::connect(&ensemble.members[0].client, 10_000).unwrap();
    for n in 0..10 {
        client.create(&format!("/{n}"), b"", CreateMode::Persistent).unwrap().unwrap();
    }
    ensemble.members[0].terminate();
    ensemble.members[0].start().unwrap();
    ensemble.wait_until_all_serve();
    let member = &ensemble.members[0];
    for name in ["dbinittime_count", "startup_snap_load_time_count", "startup_txns_load_time_count"] {
        assert_eq!(figure(member, name), Some(1.0), "{name}");
    }
    let entries = figure(member, "startup_txns_loaded_sum");
    assert!(entries.is_some_and(|entries| entries >= 10.0), "{entries:?}");
    assert_eq!(figure(member, "connection_revalidate_count"), Some(0.0));
    client.reattach(&member.client).unwrap();
    assert_eq!(figure(member, "connection_revalidate_count"), Some(1.0));
    let (batches, operations) =
        (figure(member, "sync_processor_batch_size_count"), figure(member, "sync_processor_request_queued"));
    assert!(batches > Some(0.0) && operations >= batches, "{operations:?} in {batches:?}");
    assert_eq!(figure(member, "coordd_log_unsynced_bytes"), figure(member, "log_unsynced_bytes"));
}
