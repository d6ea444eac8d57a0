//! What the machine itself must have for a cluster: Linux, root, and a few of Debian's packages.
//!
//! Rule: what is missing is installed where that is allowed, else said in one line with what to type. Reason: nobody
//! should need a page of instructions before the first run.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::{shell, tools};

/// A file or a program, and the package that brings it.
const NEEDS: &[(&str, &str)] = &[
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
    ("iptables", "iptables"),
    ("nft", "nftables"),
    ("conntrack", "conntrack"),
    ("ip", "iproute2"),
    ("openssl", "openssl"),
    ("nsenter", "util-linux"),
    ("sysctl", "procps"),
];

/// Why no cluster can be run here, if so.
pub(crate) fn obstacle() -> Option<&'static str> {
    if !cfg!(target_os = "linux") {
        return Some("its nodes are Linux namespaces");
    }
    (!is_root()).then_some("only root may make its nodes")
}

/// Sees to it that a cluster can be run here.
pub(super) fn prepare() -> Result<()> {
    let missing: Vec<&str> = NEEDS.iter().filter(|(what, _)| !there(what)).map(|(_, package)| *package).collect();
    match (obstacle(), missing.is_empty()) {
        (None, true) => Ok(()),
        (None, false) => tools::debian(&missing),
        (Some(why), true) => Err(Failure::new(format!("no Kubernetes can be started here: {why}"))),
        (Some(why), false) => Err(Failure::new(format!(
            "no Kubernetes can be started here: {why}, and these are missing: apt-get install {}",
            missing.join(" ")
        ))),
    }
}

fn there(what: &str) -> bool {
    if what.starts_with('/') {
        return Path::new(what).exists();
    }
    shell::run_quietly(Command::new("sh").args(["-c", &format!("command -v {what}")])).is_ok()
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    uids.split_whitespace().nth(1) == Some("0")
}
