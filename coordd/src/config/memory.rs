//! How much memory this process may use: the cgroup's limit, of version 2 or 1, or the machine's memory.

use std::fs;
use std::path::Path;

/// What the tree may take by default, in percent.
const TREE_PERCENT: u64 = 60;
/// Where nothing can be read.
const UNKNOWN: u64 = 1 << 30;

/// The default bound of the tree.
pub(super) fn tree_bytes() -> u64 {
    limit_below(Path::new("/")).unwrap_or(UNKNOWN) / 100 * TREE_PERCENT
}

fn limit_below(root: &Path) -> Option<u64> {
    let read = |path: &str| fs::read_to_string(root.join(path)).ok();
    let bytes = |path: &str| read(path)?.trim().parse::<u64>().ok();
    let machine = read("proc/meminfo").and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
    });
    // Inside a container its own group is mounted at the root of the hierarchy; on a bare host /proc names the group.
    let group = read("proc/self/cgroup").unwrap_or_default();
    let own = |controller: &str| {
        let line = group
            .lines()
            .find(|line| line.split(':').nth(1).is_some_and(|found| found.split(',').any(|c| c == controller)));
        line.and_then(|line| line.splitn(3, ':').nth(2)).unwrap_or("/").to_owned()
    };
    let candidates = [
        "sys/fs/cgroup/memory.max".to_owned(),
        format!("sys/fs/cgroup{}/memory.max", own("")),
        "sys/fs/cgroup/memory/memory.limit_in_bytes".to_owned(),
        format!("sys/fs/cgroup/memory{}/memory.limit_in_bytes", own("memory")),
    ];
    candidates.iter().filter_map(|path| bytes(path)).chain(machine).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    const MEMORY: (&str, &str) = ("proc/meminfo", "MemTotal:  1000 kB\nMemFree: 1 kB\n");

    #[test]
    fn the_smallest_limit_counts() {
        let v2 = [MEMORY, ("sys/fs/cgroup/memory.max", "5000\n")];
        assert_eq!(limit_below(machine(&v2).path()), Some(5000));
        let v1 = [MEMORY, ("sys/fs/cgroup/memory/memory.limit_in_bytes", "7000\n")];
        assert_eq!(limit_below(machine(&v1).path()), Some(7000));
        let own = [MEMORY, ("proc/self/cgroup", "0::/a/b\n"), ("sys/fs/cgroup/a/b/memory.max", "6000\n")];
        assert_eq!(limit_below(machine(&own).path()), Some(6000));
    }

    #[test]
    fn no_limit_means_the_machine() {
        let unlimited = [MEMORY, ("sys/fs/cgroup/memory.max", "max\n")];
        assert_eq!(limit_below(machine(&unlimited).path()), Some(1_024_000));
        let v1 = [MEMORY, ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")];
        assert_eq!(limit_below(machine(&v1).path()), Some(1_024_000));
    }
}
