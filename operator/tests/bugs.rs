//! Thirty bugs of other operators (`operators.md` §2), each with a test here that bears its number.
//!
//! Rule: the test of bug N is called `bug_NN_…` and stands where the bug would be: `plan`, `status`, `build`, the
//! objects or a real API server. Reason: what somebody has paid for once must not be lost when a file is tidied up.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const BUGS: [(u8, &str); 30] = [
    (1, "DNS or an empty disk decides that there is no ensemble yet, and a second one is founded"),
    (2, "scaled while the quorum was lost: never to be recovered"),
    (3, "scaled down and up: the old disk comes back under the old id"),
    (4, "a restart of pods changes the membership"),
    (5, "preStop needs the quorum, fails, and the grace period runs out"),
    (6, "a cluster made anew takes its predecessor's volumes for its own"),
    (7, "a late cache: the volume of the new cluster is deleted for that of the old one"),
    (8, "a crash between two writes blocks everything after it"),
    (9, "a new volume size is ignored in silence"),
    (10, "stuck in an upgrade, and no correction of the spec helps"),
    (11, "a restart is ordered by a flag that the operator has to set back in the spec"),
    (12, "no authentication for years"),
    (13, "a mesh breaks the quorum: ports without names and protocols, peers hidden until they are ready"),
    (14, "the quorum is lost and the status says Available"),
    (15, "liveness asks the ensemble; owners that drains do not understand"),
    (16, "members that could not be asked are removed"),
    (17, "health is matched to members by their place in a list"),
    (18, "what could not be read is shown as well"),
    (19, "a member with a lost, wiped or damaged disk is never repaired"),
    (20, "a lost quorum is given up without a person, or cannot be"),
    (21, "two empty new voters outvote the one that has the data"),
    (22, "the next member is restarted before the last one is back; a cold start waits for itself"),
    (23, "a wait that times out goes on to the next member"),
    (24, "the end comes before the beginning: volumes before pods before votes; no time to start"),
    (25, "addresses are remembered where names should be"),
    (26, "pods that are stopping count as ready; a stop without a bound"),
    (27, "two changes at once; a StatefulSet that somebody scales by hand"),
    (28, "a disruption budget for a single member blocks every drain; budgets that never follow the number of members"),
    (29, "claims that are deleted by hand are not noticed, or made anew while the old one is going"),
    (30, "a broken template that was corrected never rolls out"),
];

/// How a test's name begins; in two pieces, so that it is not found here.
const TEST: &str = concat!("fn bug", "_");

/// The numbers of the tests below `folder`, and their names.
fn tests(folder: &Path, found: &mut BTreeMap<u8, BTreeSet<String>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for name in text.split(TEST).skip(1).filter_map(|rest| rest.split_once('(').map(|(name, _)| name)) {
                let number = name.split('_').next().unwrap().parse();
                let number = number.unwrap_or_else(|_| panic!("{}: bug_{name} bears no number", path.display()));
                found.entry(number).or_default().insert(name.to_owned());
            }
        }
    }
}

#[test]
fn each_bug_has_a_test_that_bears_its_number() {
    let mut found = BTreeMap::new();
    for folder in ["src", "tests"] {
        tests(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    }
    for (number, what) in BUGS {
        assert!(found.remove(&number).is_some(), "no test bears the number of bug {number}: {what}");
    }
    assert!(found.is_empty(), "there are no such bugs: {found:?}");
}
