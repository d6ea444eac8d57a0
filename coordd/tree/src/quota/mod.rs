//! Quotas: limits that clients write under `/zookeeper/quota`, usage that apply keeps beside them.
//!
//! ```text
//!   /zookeeper/quota/a/b/zookeeper_limits   count=100,bytes=-1=;byteHardLimit=5000      written by a client, read here
//!   /zookeeper/quota/a/b/zookeeper_stats    count=7,bytes=812                           created by a client, kept here
//! ```
//!
//! Rule: only the deepest limit above a path counts, and none on the root. Usage is rewritten in place: no version, no
//! zxid, no watch. Hard limits refuse; soft ones are advice (ZooKeeper logs them; nothing here can).

pub(crate) mod text;

use std::collections::BTreeSet;

pub(crate) use text::QuotaText;

pub(crate) const LIMITS: &str = "zookeeper_limits";
pub(crate) const STATS: &str = "zookeeper_stats";
const QUOTA_ROOT: &str = "/zookeeper/quota";

/// The paths that have a limits znode.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    limited: BTreeSet<Box<str>>,
}

/// What `path` says about a quota, if it is a limits or stats znode: the path that is limited.
pub(crate) fn target<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    let target = path.strip_prefix(QUOTA_ROOT)?.strip_suffix(name)?.strip_suffix('/')?;
    target.starts_with('/').then_some(target)
}

/// Whether what is written at `path` is read as the text of a quota.
pub fn is_quota_text(path: &str) -> bool {
    target(path, LIMITS).or_else(|| target(path, STATS)).is_some()
}

pub(crate) fn stats_path(target: &str) -> String {
    format!("{QUOTA_ROOT}{target}/{STATS}")
}

pub(crate) fn limits_path(target: &str) -> String {
    format!("{QUOTA_ROOT}{target}/{LIMITS}")
}

impl Quotas {
    /// A znode appeared at `path`.
    pub(crate) fn appeared(&mut self, path: &str) {
        if let Some(target) = target(path, LIMITS) {
            self.limited.insert(target.into());
        }
    }

    /// The znode at `path` went.
    pub(crate) fn went(&mut self, path: &str) {
        if let Some(target) = target(path, LIMITS) {
            self.limited.remove(target);
        }
    }

    /// The deepest limited path that is `path` or above it.
    pub(crate) fn over<'a>(&self, path: &'a str) -> Option<&'a str> {
        if self.limited.is_empty() {
            return None;
        }
        let mut at = path;
        while !at.is_empty() {
            if self.limited.contains(at) {
                return Some(at);
            }
            at = &at[..at.rfind('/')?];
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_limit_counts_and_the_root_has_none() {
        let mut quotas = Quotas::default();
        for path in ["/zookeeper/quota/zookeeper_limits", "/zookeeper/quota/a/zookeeper_limits"] {
            quotas.appeared(path);
        }
        quotas.appeared("/zookeeper/quota/a/b/zookeeper_limits");
        assert_eq!(quotas.over("/a/b/c/d"), Some("/a/b"));
        assert_eq!(quotas.over("/a/bb"), Some("/a"));
        assert_eq!(quotas.over("/aa"), None);
        quotas.went("/zookeeper/quota/a/b/zookeeper_limits");
        assert_eq!(quotas.over("/a/b"), Some("/a"));
        assert_eq!(quotas.over("/"), None);
    }

    #[test]
    fn only_znodes_under_the_quota_root_say_something() {
        assert_eq!(target("/zookeeper/quota/a/zookeeper_stats", STATS), Some("/a"));
        assert_eq!(target("/zookeeper/quotas/zookeeper_stats", STATS), None);
        assert_eq!(target("/zookeeper/quota/a/zookeeper_limits", STATS), None);
        assert_eq!(target("/a/zookeeper_stats", STATS), None);
    }
}
