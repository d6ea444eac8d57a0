//! Hardships that a test turns up and down while a member runs: files with a number in `COORDD_PLANTED_DIR`.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_millis(20);

#[derive(Default)]
struct Knobs {
    clock_offset_ms: AtomicI64,
    fsync_delay_ms: AtomicI64,
    apply_delay_ms: AtomicI64,
}

static KNOBS: LazyLock<&'static Knobs> = LazyLock::new(|| {
    let knobs: &'static Knobs = Box::leak(Box::default());
    if let Some(dir) = std::env::var_os("COORDD_PLANTED_DIR").map(PathBuf::from) {
        let read = move |name: &str, into: &AtomicI64| {
            let text = std::fs::read_to_string(dir.join(name)).unwrap_or_default();
            into.store(text.trim().parse().unwrap_or(0), Ordering::Relaxed);
        };
        let look = move || {
            read("clock_offset_ms", &knobs.clock_offset_ms);
            read("fsync_delay_ms", &knobs.fsync_delay_ms);
            read("apply_delay_ms", &knobs.apply_delay_ms);
        };
        look();
        thread::spawn(move || {
            loop {
                thread::sleep(LOOK_EVERY);
                look();
            }
        });
    }
    knobs
});

pub(crate) fn clock_offset_ms() -> i64 {
    KNOBS.clock_offset_ms.load(Ordering::Relaxed)
}

/// How much longer each flush takes.
pub(super) fn fsync_delay() -> Duration {
    Duration::from_millis(u64::try_from(KNOBS.fsync_delay_ms.load(Ordering::Relaxed)).unwrap_or(0))
}

/// How much longer at most a member takes to apply a batch.
pub(super) fn apply_delay() -> Duration {
    Duration::from_millis(u64::try_from(KNOBS.apply_delay_ms.load(Ordering::Relaxed)).unwrap_or(0))
}
