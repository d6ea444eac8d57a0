//! A file system that is really full: the kernel says ENOSPC, not a simulated disk.
//!
//! Rule: it needs a small tmpfs, which only root may mount; elsewhere it says that it was skipped, and why.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use common::*;
use coordd_wal::{Mode, Options, OsDisk, Wal, WalError};

const SIZE: &str = "size=6m";
const ENTRY_BYTES: usize = 3000;

/// A small file system that is gone when the test ends.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    fn mount() -> Result<Tmpfs, String> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(dir.path()).output();
        match mounted {
            Ok(output) if output.status.success() => Ok(Tmpfs(dir)),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn options(mode: Mode) -> Options {
    Options { mode, segment_bytes: 1 << 20, min_free_bytes: 1 << 20, ..Options::default() }
}

#[test]
fn on_a_file_system_that_is_really_full_entries_are_refused_and_taken_again_when_there_is_room() {
    for mode in [Mode::Inline, Mode::Threads] {
        let tmpfs = match Tmpfs::mount() {
            Ok(tmpfs) => tmpfs,
            Err(why) => return println!("skipped: no tmpfs can be mounted: {why}"),
        };
        let dir = tmpfs.path().join("log");
        let (wal, _) = Wal::open(Arc::new(OsDisk), &dir, options(mode)).unwrap();
        let (mut last, mut warned) = (0, None);
        let refused = loop {
            let appended = append(&wal, last + 1..=last + 5, 1, ENTRY_BYTES);
            if warned.is_none() && !wal.has_room() {
                warned = Some(last);
            }
            match appended {
                Ok(()) => last += 5,
                Err(error) => break error,
            }
        };
        assert_eq!(refused, WalError::NoSpace);
        assert!(warned.is_some_and(|at| at < last), "warned at {warned:?}, refused at {last}");
        assert!(last as usize * ENTRY_BYTES > 3 << 20, "{last} entries of {ENTRY_BYTES} bytes on 6 MiB");
        assert_eq!(all(&wal).len() as u64, last, "it reads on");
        vote(&wal, b"still").unwrap();
        purge(&wal, last - 100, 1).unwrap();
        append(&wal, last + 1..=last + 5, 1, ENTRY_BYTES).unwrap();
        let before = all(&wal);
        drop(wal);
        let (wal, recovered) = Wal::open(Arc::new(OsDisk), &dir, options(mode)).unwrap();
        assert_eq!((all(&wal), recovered.vote.as_deref()), (before, Some(&b"still"[..])));
    }
}
