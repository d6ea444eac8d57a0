//! Small file systems for members whose disk is to fill up: in memory, one a member. Only root may mount them.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Whether this process may mount file systems.
pub fn may_mount() -> bool {
    rustix::process::geteuid().is_root()
}

pub(super) fn mount(dir: &Path, mib: u32) -> Result<()> {
    let size = format!("size={mib}m");
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "coordd-small-disk"]).arg(dir).status();
    let status = mount.context("run mount")?;
    ensure!(status.success(), "a file system of {mib} MiB could not be mounted at {}", dir.display());
    Ok(())
}

/// Takes the file system away, if there is one.
pub(super) fn unmount(dir: &Path) {
    let mut unmount = Command::new("umount");
    let _ = unmount.arg("-l").arg(dir).stdout(Stdio::null()).stderr(Stdio::null()).status();
}
