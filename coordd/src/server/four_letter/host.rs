//! What the machine says of itself, for `envi`, `dirs` and the descriptor gauges. Anything it does not say is left out.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

fn line_of(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

pub(super) fn environment(version: &str) -> Vec<(&'static str, String)> {
    let unknown = || "n/a".to_owned();
    let memory = |key: &str| {
        let text = fs::read_to_string("/proc/meminfo").ok()?;
        let kib: u64 = text.lines().find_map(|line| line.strip_prefix(key))?.trim().split(' ').next()?.parse().ok()?;
        Some(format!("{}MB", kib / 1024))
    };
    let of_process = |name: &str| std::env::var(name).unwrap_or_else(|_| unknown());
    vec![
        ("zookeeper.version", version.to_owned()),
        ("host.name", line_of("/proc/sys/kernel/hostname").unwrap_or_else(unknown)),
        // Programs that parse the answer look for it.
        ("java.version", "n/a (no Java)".to_owned()),
        ("os.name", std::env::consts::OS.to_owned()),
        ("os.arch", std::env::consts::ARCH.to_owned()),
        ("os.version", line_of("/proc/sys/kernel/osrelease").unwrap_or_else(unknown)),
        ("user.name", of_process("USER")),
        ("user.home", of_process("HOME")),
        ("user.dir", std::env::current_dir().map_or_else(|_| unknown(), |dir| dir.display().to_string())),
        ("os.memory.free", memory("MemAvailable:").unwrap_or_else(unknown)),
        ("os.memory.max", memory("MemTotal:").unwrap_or_else(unknown)),
        ("os.memory.total", memory("MemTotal:").unwrap_or_else(unknown)),
    ]
}

/// Bytes of all files below `dir`.
pub(super) fn size_of(dir: &Path) -> u64 {
    let mut waiting = vec![dir.to_path_buf()];
    let mut total = 0;
    while let Some(dir) = waiting.pop() {
        let Ok(entries) = fs::read_dir(dir) else { continue };
        for entry in entries.flatten() {
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => waiting.push(entry.path()),
                Ok(meta) => total += meta.len(),
                Err(_) => {}
            }
        }
    }
    total
}

/// The log index of the newest snapshot file in `dir`, and the second in which it was written.
pub(super) fn newest_snapshot(dir: &Path) -> Option<(i64, i64)> {
    let found = fs::read_dir(dir).ok()?.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let (_, index) = name.strip_suffix(".snap")?.split_once('-')?;
        let written = entry.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some((i64::from_str_radix(index, 16).ok()?, i64::try_from(written.as_secs()).ok()?))
    });
    found.max()
}

pub(super) fn open_descriptors() -> Option<f64> {
    fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as f64)
}

pub(super) fn max_descriptors() -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_snapshot_is_the_one_of_the_highest_index() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(newest_snapshot(dir.path()), None);
        for name in ["0000000000000001-00000000000000ff.snap", "0000000000000002-000000000000001f.snap", "x.tmp"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let (index, written) = newest_snapshot(dir.path()).unwrap();
        assert_eq!(index, 0xff);
        assert!(written > 1_600_000_000);
    }
}
