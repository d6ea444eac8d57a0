//! Links between real members that reach each other through doors, one of which keeps the leader out: whom that makes
//! stand for election, for how long, and how often the leader comes again.
//!
//! ```text
//!   leader ═════ the other         the two hear each other all the time, so nobody else may win an election
//!      ║ ╲door      ║
//!      ╚════ member ╝              reaches both, and hears of the leader what its door lets in
//! ```

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod support;

use coordd_testkit::{Ensemble, Member, eventually};

use support::door::{Door, What};
use support::ensemble_behind_doors;

/// A busy machine keeps no heartbeat for so long from a member that its leader reaches.
const TIMES: [&str; 4] = ["--election-min-ms", "1500", "--election-max-ms", "2000"];
const STANDS: &str = "the leader hangs; standing for election";
/// Far more than come while a question or its answer is on its way.
const HEARTBEATS: usize = 15;

struct Stage {
    ensemble: Ensemble,
    doors: Vec<Door>,
    leader: usize,
    member: usize,
    other: usize,
    term: u64,
}

/// A new ensemble gives its members ids in the order of their names.
fn id(index: usize) -> u64 {
    index as u64 + 1
}

fn term(member: &Member) -> u64 {
    let (_, body) = member.http_get("/v1/ensemble").unwrap();
    let said: serde_json::Value = serde_json::from_str(&body).unwrap();
    said["term"].as_u64().unwrap()
}

impl Stage {
    fn new() -> Stage {
        let (ensemble, doors) = ensemble_behind_doors(3, &TIMES);
        let (leader, followers) = (ensemble.leader(), ensemble.followers());
        let term = term(&ensemble.members[leader]);
        Stage { ensemble, doors, leader, member: followers[0], other: followers[1], term }
    }

    fn member(&mut self) -> &mut Member {
        &mut self.ensemble.members[self.member]
    }

    /// What the leader did at the member's door.
    fn leader_at_the_door(&self, what: What) -> usize {
        self.doors[self.member].count(id(self.leader), what)
    }

    /// What the member did at the door of `index`.
    fn member_at(&self, index: usize, what: What) -> usize {
        self.doors[index].count(id(self.member), what)
    }

    /// How often the member asked the other to vote for it.
    fn asked(&self) -> usize {
        self.member_at(self.other, What::PreVote)
    }

    fn wait_until_heard(&self, times: usize) {
        let before = self.leader_at_the_door(What::AppendAnswer);
        let heard = || self.leader_at_the_door(What::AppendAnswer) >= before + times;
        eventually("the leader to be heard", || heard().then_some(()));
    }

    fn assert_the_leader_stayed(&self) {
        assert_eq!(self.ensemble.members[self.leader].mode().as_deref(), Some("leader"));
        let terms: Vec<u64> = self.ensemble.members.iter().map(term).collect();
        assert_eq!(terms, [self.term; 3]);
    }
}

#[test]
fn a_restarted_member_does_not_stand_for_a_leader_that_has_not_found_it_yet() {
    let mut stage = Stage::new();
    stage.member().kill();
    stage.doors[stage.member].hold(id(stage.leader));
    let (earlier, asked) = (stage.member().log().len(), stage.asked());
    stage.member().start().unwrap();
    // That much is allowed: a member that hears nobody asks, in the end, once its timers run out.
    eventually("its timers to run out", || (stage.asked() > asked).then_some(()));
    let log = stage.member().log().split_off(earlier);
    assert!(!log.contains(STANDS), "it took a leader for hanging that it never heard:\n{log}");
    stage.doors[stage.member].let_in();
    stage.wait_until_heard(HEARTBEATS);
    eventually("the member to serve", || stage.member().mode());
    stage.assert_the_leader_stayed();
}

#[test]
fn who_stands_for_a_hanging_leader_stops_when_it_is_heard_again() {
    let mut stage = Stage::new();
    let asked = stage.asked();
    stage.doors[stage.member].hold(id(stage.leader));
    let stands = |stage: &mut Stage| stage.asked() > asked && stage.member().log().contains(STANDS);
    eventually("the member to stand", || stands(&mut stage).then_some(()));
    stage.doors[stage.member].let_in();
    stage.wait_until_heard(HEARTBEATS);
    let asked = stage.asked();
    stage.wait_until_heard(HEARTBEATS);
    assert_eq!(stage.asked(), asked, "it asks on though it hears its leader:\n{}", stage.member().log());
    stage.assert_the_leader_stayed();
}

#[test]
fn a_restarted_member_that_greets_is_dialed_often_until_it_is_reached() {
    let mut stage = Stage::new();
    stage.doors[stage.member].turn_away(id(stage.leader));
    stage.member().kill();
    let dialed = |stage: &Stage, times: usize| {
        let before = stage.leader_at_the_door(What::ControlLink);
        eventually("dials", || (stage.leader_at_the_door(What::ControlLink) >= before + times).then_some(()));
    };
    // By then it waits as long as it ever does.
    dialed(&stage, 8);
    let greeted = stage.member_at(stage.leader, What::ControlLink);
    stage.member().start().unwrap();
    eventually("its hello", || (stage.member_at(stage.leader, What::ControlLink) > greeted).then_some(()));
    let (reports, dials) = (stage.member_at(stage.leader, What::Call), stage.leader_at_the_door(What::ControlLink));
    // It reports ten times a second. A dialer that the hello does not hurry comes four times meanwhile.
    let reported = |stage: &Stage| stage.member_at(stage.leader, What::Call) >= reports + 30;
    eventually("its reports", || reported(&stage).then_some(()));
    let dials = stage.leader_at_the_door(What::ControlLink) - dials;
    assert!(dials >= 10, "{dials}");
    stage.doors[stage.member].let_in();
    stage.wait_until_heard(1);
    stage.assert_the_leader_stayed();
}
