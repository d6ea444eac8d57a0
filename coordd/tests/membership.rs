//! Who is in the ensemble, as operators change it and clients see it change.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use coordd_testkit::{Client, Ensemble, Member, eventually};

use support::{admin, ensemble, start_unformed};

const CONFIG: &str = "/zookeeper/config";
const DATA_CHANGED: i32 = 3;

fn done(member: &Member, arguments: &[&str]) -> String {
    let output = admin(member, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What an order that must be refused says.
fn refusal(member: &Member, arguments: &[&str]) -> String {
    let output = admin(member, arguments);
    assert!(!output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Repeats an order until the member can carry it out: a learner catches up first.
fn done_eventually(member: &Member, arguments: &[&str]) {
    let mut said = String::new();
    for _ in 0..100 {
        let output = admin(member, arguments);
        if output.status.success() {
            return;
        }
        said = String::from_utf8_lossy(&output.stderr).into_owned();
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{arguments:?} stays refused: {said}");
}

/// The id of the member of this name.
fn id_of(member: &Member, name: &str) -> String {
    let status: serde_json::Value = serde_json::from_str(&done(member, &["--output", "json", "status"])).unwrap();
    let members = status["ensemble"]["members"].as_array().unwrap();
    members.iter().find(|known| known["name"] == name).unwrap()["id"].to_string()
}

/// One member more, as a learner: the places of the leader and of that one.
fn add_learner(ensemble: &mut Ensemble) -> (usize, usize) {
    let added = start_unformed(ensemble);
    let leader = ensemble.leader();
    done_eventually(&ensemble.members[leader], &["add", "--peer-addr", &ensemble.members[added].peer]);
    (leader, added)
}

#[test]
fn an_eighth_voter_is_refused_with_the_limit_named_and_stays_a_learner() {
    let mut ensemble = ensemble(7);
    let (leader, eighth) = add_learner(&mut ensemble);
    eventually("the learner to serve", || ensemble.members[eighth].mode());
    let why = refusal(&ensemble.members[leader], &["promote", "m8"]);
    assert!(why.contains("has 7 voters, and 7 is the most"), "{why}");
    done(&ensemble.members[leader], &["remove", &ensemble.members[ensemble.followers()[0]].name]);
    done_eventually(&ensemble.members[leader], &["promote", "m8"]);
}

#[test]
fn a_replaced_learner_is_a_learner() {
    let mut ensemble = ensemble(3);
    let (leader, fourth) = add_learner(&mut ensemble);
    let peer = ensemble.members[fourth].peer.clone();
    eventually("the learner to serve", || ensemble.members[fourth].mode());
    let lost = id_of(&ensemble.members[leader], "m4");
    ensemble.members[fourth].kill();
    std::fs::remove_dir_all(&ensemble.members[fourth].data_dir).unwrap();
    ensemble.members[fourth].start().unwrap();
    done_eventually(&ensemble.members[leader], &["replace", "m4", "--peer-addr", &peer]);
    let mode = eventually("the new learner to serve", || ensemble.members[fourth].mode());
    assert_eq!(mode, "observer");
    eventually("the lost one to be out", || {
        let status = done(&ensemble.members[leader], &["status"]);
        (status.matches("learner").count() == 1).then_some(())
    });
    done(&ensemble.members[leader], &["replace", &lost, "--peer-addr", &peer]);
    let why = refusal(&ensemble.members[leader], &["replace", "33", "--peer-addr", &peer]);
    assert!(why.contains("33 is not a member"), "{why}");
    let status = done(&ensemble.members[leader], &["status"]);
    assert_eq!(status.matches("learner").count(), 1, "asked again, or for a stranger, it made a voter: {status}");
}

#[test]
fn a_removed_member_says_so_once_and_looks_for_no_leader_any_more() {
    let mut ensemble = ensemble(3);
    let (leader, fourth) = add_learner(&mut ensemble);
    done_eventually(&ensemble.members[leader], &["promote", "m4"]);
    done_eventually(&ensemble.members[leader], &["remove", "m4"]);
    let said =
        || ensemble.members[fourth].log().split_once("removed from the ensemble").map(|(_, after)| after.to_owned());
    eventually("the removed one to say so", said);
    // Several times what a silent leader is given.
    std::thread::sleep(Duration::from_secs(3));
    let after = said().unwrap();
    for word in ["removed from the ensemble", "the leader hangs", "standing for election"] {
        assert!(!after.contains(word), "{after}");
    }
}

#[test]
fn the_status_names_the_disk_of_each_member() {
    let ensemble = ensemble(3);
    let status: serde_json::Value =
        serde_json::from_str(&done(&ensemble.members[0], &["--output", "json", "status"])).unwrap();
    let members = status["ensemble"]["members"].as_array().unwrap();
    let disks: BTreeSet<_> = members.iter().map(|member| member["disk_id"].as_str().unwrap()).collect();
    assert_eq!((disks.len(), disks.contains("")), (3, false), "{disks:?}");
}

#[test]
fn a_watch_on_the_config_fires_when_a_member_comes_is_promoted_and_goes() {
    let mut ensemble = ensemble(3);
    let leader = ensemble.leader();
    let watcher_at = ensemble.followers()[0];
    let mut watcher = Client::connect(&ensemble.members[watcher_at].client, 6000).unwrap();
    watcher.sync().unwrap().unwrap();
    let fourth = start_unformed(&mut ensemble);
    let peer = ensemble.members[fourth].peer.clone();
    let second_port = peer.rsplit_once(':').unwrap().1.parse::<u16>().unwrap() + 1000;
    let row = |role: &str| format!("={peer}:{second_port}:{role};");
    let text = |watcher: &mut Client| {
        let (data, stat) = watcher.get(CONFIG, true).unwrap().unwrap();
        (String::from_utf8(data).unwrap(), stat)
    };
    // Raising the feature level is a change of this znode too: it has to be over.
    let own = &ensemble.members[watcher_at].peer;
    let at_level = |text: &str| !text.contains(&format!("={own}:{}:", own.rsplit_once(':').unwrap().1));
    let raised = || {
        let (data, _) = watcher.get(CONFIG, false).unwrap().unwrap();
        at_level(&String::from_utf8(data).unwrap()).then_some(())
    };
    eventually("the level of two ports", raised);
    let (before, _) = text(&mut watcher);
    assert!(!before.contains(&row("observer")), "{before}");
    let orders: [(&[&str], Option<&str>); 3] = [
        (&["add", "--peer-addr", &peer], Some("observer")),
        (&["promote", "m4"], Some("participant")),
        (&["remove", "m4"], None),
    ];
    for (order, role) in orders {
        done_eventually(&ensemble.members[leader], order);
        let event = eventually(&format!("the event of {order:?}"), || watcher.event().unwrap());
        assert_eq!((event.kind, event.path.as_str()), (DATA_CHANGED, CONFIG));
        let (now, stat) = text(&mut watcher);
        assert_eq!(stat.mzxid, event.zxid, "the watch fired for this very change");
        assert!(now.ends_with(&format!("version={:x}", stat.mzxid.0)), "{now}");
        assert_eq!(stat.version, -1, "as ZooKeeper keeps it");
        match role {
            Some(role) => assert!(now.contains(&row(role)), "{now}"),
            None => assert!(!now.contains(&peer), "{now}"),
        }
        assert_eq!(watcher.event().unwrap(), None, "one change, one event");
    }
}
