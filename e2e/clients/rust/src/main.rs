//! The Rust `zookeeper-client` against running servers: `foreign-client HOSTS [CASE]`.
//!
//! ```text
//!   main ──World──► operations, recipes, members: async functions that give Err(why) at the first broken expectation
//! ```
//!
//! Each case prints `ok NAME` or `FAIL NAME: why`; the exit code is 1 when any failed.

mod members;
mod operations;
mod recipes;
mod world;

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use world::{Outcome, World};

const CASE_TIME: Duration = Duration::from_secs(40);

type Case = fn(World) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;

macro_rules! cases {
    ($($module:ident :: $name:ident),* $(,)?) => {
        [$((stringify!($name), (|world| Box::pin($module::$name(world))) as Case)),*]
    };
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let Some(hosts) = args.get(1) else { return ExitCode::from(2) };
    let only = args.get(2).map_or("", String::as_str);
    let Ok(runtime) = tokio::runtime::Runtime::new() else { return ExitCode::from(2) };
    let cases = cases![
        operations::each_operation_shows_its_effect_and_its_stat,
        operations::wrong_requests_are_refused_by_their_code,
        operations::a_multi_is_all_or_nothing_and_a_multi_read_answers_each_part,
        operations::acls_admit_whom_they_name,
        operations::a_chroot_hides_what_is_above,
        operations::ephemerals_containers_and_lifetimes_end,
        recipes::one_shot_watches_fire_once,
        recipes::persistent_watches_go_on,
        recipes::a_removed_watch_is_silent,
        recipes::a_lock_is_held_by_one_and_guards_its_writes,
        recipes::locks_of_every_prefix_exclude,
        members::a_session_and_its_watches_outlive_the_member,
        members::a_session_is_taken_up_by_id_and_password,
        members::a_session_that_is_not_heard_of_expires_with_its_ephemerals,
        members::writes_go_on_through_a_killed_member,
    ];
    let (mut ran, mut bad) = (0, 0);
    for (name, case) in cases.into_iter().filter(|(name, _)| name.contains(only)) {
        ran += 1;
        let world = World::new(hosts, &format!("/rust-{name}"));
        let outcome = runtime.block_on(async { tokio::time::timeout(CASE_TIME, case(world)).await });
        match outcome.unwrap_or_else(|_| Err("no end in time".into())) {
            Ok(()) => println!("ok {name}"),
            Err(why) => {
                bad += 1;
                println!("FAIL {name}: {why}");
                if let Err(lost) = runtime.block_on(world::control("revive")) {
                    println!("the members are not revived: {lost}");
                }
            }
        }
    }
    runtime.shutdown_background();
    if ran > 0 && bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
