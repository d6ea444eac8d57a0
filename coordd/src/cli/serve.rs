//! `coordd serve`: one member, until it is told to stop.

use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use tokio::runtime::Builder;

use crate::config::args::Flags;
use crate::{daemon, telemetry};

pub(super) fn run(flags: &Flags) -> Result<(), String> {
    let config = flags.load().map_err(|error| error.to_string())?;
    telemetry::start(&config.log);
    // Where it is one thread anyway, none has to be woken, or asked for work.
    let runtime = match workers() {
        1 => Builder::new_current_thread().enable_all().build(),
        workers => Builder::new_multi_thread().worker_threads(workers).enable_all().build(),
    };
    let runtime = runtime.map_err(|error| format!("cannot start the runtime: {error}"))?;
    runtime.block_on(daemon::run(config)).map_err(|error| error.to_string())
}

/// One core is left to the log's writer and the kernel: a worker more would only be woken in its place.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1))
}

/// The same, but it does not outlive the process that started it.
pub(super) fn run_below(flags: &Flags) -> Result<(), String> {
    let parent = getppid();
    set_parent_process_death_signal(Some(Signal::TERM))
        .map_err(|error| format!("cannot be bound to the demo: {error}"))?;
    if getppid() != parent {
        return Err("the demo has ended".to_owned());
    }
    run(flags)
}
