//! Members that do not belong together, as an operator comes upon them: who is refused, and what the logs say of it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod support;

use std::fs;

use coordd_testkit::{Ensemble, Member, eventually};

use support::{ensemble, ensemble_id, ensemble_with};

fn wait_for(member: &Member, since: usize, words: &[&str]) {
    let said = || {
        let log = member.log().split_off(since);
        log.lines().any(|line| words.iter().all(|word| line.contains(word))).then_some(())
    };
    eventually(&format!("{} to say {words:?}", member.name), said);
}

fn serves_again(ensemble: &Ensemble, index: usize) {
    eventually("the member to serve", || ensemble.members[index].mode());
    let mut client = support::http::connect(&ensemble.members[index]);
    client.sync().unwrap().unwrap();
}

#[test]
fn a_member_with_another_secret_stays_out_and_both_sides_say_why() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    fs::write(&file, "the secret of all").unwrap();
    let mut ensemble = ensemble_with(3, &["--peer-secret-file", &file.display().to_string()]);
    let (leader, outsider) = (ensemble.leader(), ensemble.followers()[0]);
    ensemble.members[outsider].kill();
    fs::write(&file, "the secret of one").unwrap();
    let since = [leader, outsider].map(|index| ensemble.members[index].log().len());
    ensemble.members[outsider].start().unwrap();
    let words = ["peer refuses the link", "the peer secret is missing on one side or differs"];
    wait_for(&ensemble.members[leader], since[0], &words);
    wait_for(&ensemble.members[outsider], since[1], &words);
    assert_eq!(ensemble.members[outsider].mode(), None);
    ensemble.members[outsider].kill();
    fs::write(&file, "the secret of all").unwrap();
    ensemble.members[outsider].start().unwrap();
    serves_again(&ensemble, outsider);
}

#[test]
fn a_member_on_the_disk_of_another_ensemble_is_refused_and_both_are_named() {
    let (mut ensemble, mut strange) = (ensemble(3), ensemble(3));
    let ids = [&ensemble, &strange].map(|ensemble| ensemble_id(&ensemble.members[0]).unwrap());
    let (leader, outsider) = (ensemble.leader(), ensemble.followers()[0]);
    strange.members[outsider].kill();
    ensemble.members[outsider].kill();
    let own = ensemble.members[outsider].data_dir.clone();
    let aside = own.with_extension("aside");
    fs::rename(&own, &aside).unwrap();
    fs::rename(&strange.members[outsider].data_dir, &own).unwrap();
    let since = ensemble.members[leader].log().len();
    ensemble.members[outsider].start().unwrap();
    let [ours, theirs] = &ids;
    let dials = format!("who dialed belongs to ensemble {ours}, who was dialed to {theirs}");
    wait_for(&ensemble.members[leader], since, &["peer refuses the link", &dials]);
    assert_eq!(ensemble.members[outsider].mode(), None);
    ensemble.members[outsider].kill();
    fs::remove_dir_all(&own).unwrap();
    fs::rename(&aside, &own).unwrap();
    ensemble.members[outsider].start().unwrap();
    serves_again(&ensemble, outsider);
}

#[test]
fn members_whose_disks_were_exchanged_are_not_taken_for_each_other() {
    let mut ensemble = ensemble(3);
    let (leader, followers) = (ensemble.leader(), ensemble.followers());
    let exchange = |ensemble: &mut Ensemble| {
        followers.iter().for_each(|index| ensemble.members[*index].kill());
        let [one, other] = [0, 1].map(|place| ensemble.members[followers[place]].data_dir.clone());
        let aside = one.with_extension("aside");
        fs::rename(&one, &aside).unwrap();
        fs::rename(&other, &one).unwrap();
        fs::rename(&aside, &other).unwrap();
        followers.iter().for_each(|index| ensemble.members[*index].start().unwrap());
    };
    let since = ensemble.members[leader].log().len();
    exchange(&mut ensemble);
    // A new ensemble gives its members ids in the order of their names.
    let [one, other] = [followers[0] + 1, followers[1] + 1];
    for (wanted, found) in [(one, other), (other, one)] {
        let refusal = format!("member {wanted} was wanted, {found} lives there");
        wait_for(&ensemble.members[leader], since, &["peer refuses the link", &refusal]);
    }
    exchange(&mut ensemble);
    followers.iter().for_each(|index| serves_again(&ensemble, *index));
}
