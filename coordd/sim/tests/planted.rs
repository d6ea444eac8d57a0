//! The simulation's own test: what it must find, it finds; what is right, it lets pass.
//!
//! Rule: each test runs the program as `cargo sim` does. Reason: a process runs one simulation, and a judge that was
//! never seen to convict proves nothing.

use std::process::{Command, Output};

fn replay(arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_coordd-sim"));
    let trace = concat!(env!("CARGO_TARGET_TMPDIR"), "/trace");
    program.args(["replay", "--trace", trace]).args(arguments).output().expect("the program starts")
}

#[test]
fn a_life_without_a_defect_is_lived_twice() {
    let output = replay(&["--seed", "1", "--rounds", "2"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("no violation") && told.ends_with("the same twice\n"), "{told}");
}

#[test]
fn disks_that_lie_about_flushes_lose_an_acknowledged_write_and_are_found_out() {
    let output = replay(&["--seed", "1", "--rounds", "1", "--plant", "disk-lies"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("the first: acknowledged: "), "{told}");
}

#[test]
fn randomness_that_the_seed_does_not_decide_shows_as_another_life() {
    let output = replay(&["--seed", "1", "--rounds", "0", "--plant", "own-entropy"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("one seed, two lives: line "), "{told}");
}
