//! Quotas: limits that clients write under `/zookeeper/quota`, usage that apply keeps beside them.
//!
//! ```text
//!   /zookeeper/quota/a/b/zookeeper_limits   count=100,bytes=-1=;byteHardLimit=5000      written by a client, read here
//!   /zookeeper/quota/a/b/zookeeper_stats    count=7,bytes=812                           created by a client, kept here
//! ```
//!
//! Rule: only the deepest limit above a path counts, and none on the root. Usage is rewritten in place: no version, no
//! zxid, no watch. Hard limits refuse; soft ones are advice: whoever applies is told of either, and may log it.

pub(crate) mod text;

use std::collections::BTreeSet;
use std::fmt;

pub(crate) use text::QuotaText;

pub(crate) const LIMITS: &str = "zookeeper_limits";
pub(crate) const STATS: &str = "zookeeper_stats";
const QUOTA_ROOT: &str = "/zookeeper/quota";

/// What ran over a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exceeded {
    Count,
    Bytes,
}

/// A write that is beyond a limit of the quota above it: `hard` ones are refused. Prints as in ZooKeeper's log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuotaExceeded {
    pub path: Box<str>,
    pub what: Exceeded,
    /// With the write.
    pub used: i64,
    pub limit: i64,
    pub hard: bool,
}

impl fmt::Display for QuotaExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (used, limit) = match self.what {
            Exceeded::Count => ("count", "CountLimit"),
            Exceeded::Bytes => ("bytes", "ByteLimit"),
        };
        let kind = if self.hard { "hard" } else { "soft" };
        write!(f, "Quota exceeded: {} [current {used}={}, {kind}{limit}={}]", self.path, self.used, self.limit)
    }
}

impl QuotaText {
    /// What `count` and `bytes` more than `usage` exceed in these limits of `path`. A hard limit stands for the soft
    /// one beside it, and one that refuses comes first (ZooKeeperServer.checkQuota).
    pub(crate) fn exceeded(&self, path: &str, usage: &QuotaText, count: i64, bytes: i64) -> Option<QuotaExceeded> {
        let over = |what, used: i64, more: i64, hard: Option<i64>, soft: i64| {
            let (used, limit) = (used.saturating_add(more), hard.unwrap_or(soft));
            let exceeded = more != 0 && limit > -1 && used > limit;
            exceeded.then(|| QuotaExceeded { path: path.into(), what, used, limit, hard: hard.is_some() })
        };
        let counted = over(Exceeded::Count, usage.count(), count, self.count_hard_limit(), self.count());
        let measured = over(Exceeded::Bytes, usage.bytes(), bytes, self.byte_hard_limit(), self.bytes());
        match (counted, measured) {
            (Some(counted), Some(measured)) if measured.hard && !counted.hard => Some(measured),
            (counted, measured) => counted.or(measured),
        }
    }
}

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
    fn a_limit_is_exceeded_by_more_than_it_allows_and_a_hard_one_comes_first() {
        let usage = QuotaText::usage(2, 10);
        let told = |limits: &str, count, bytes| {
            let limits = QuotaText::parse(Some(limits.as_bytes()));
            limits.exceeded("/a", &usage, count, bytes).map(|exceeded| exceeded.to_string())
        };
        assert_eq!(told("count=3,bytes=-1", 1, 0), None);
        let soft = Some("Quota exceeded: /a [current count=3, softCountLimit=2]".to_owned());
        assert_eq!((told("count=2,bytes=5", 1, 1), told("count=2,bytes=5", 1, 0)), (soft.clone(), soft));
        assert_eq!(told("count=2,bytes=10", 0, 0), None, "only what grows or shrinks is looked at");
        let bytes = told("count=2,bytes=10", 0, 1);
        assert_eq!(bytes.as_deref(), Some("Quota exceeded: /a [current bytes=11, softByteLimit=10]"));
        let hard = told("count=2,bytes=0=;byteHardLimit=10", 1, 1);
        assert_eq!(hard.as_deref(), Some("Quota exceeded: /a [current bytes=11, hardByteLimit=10]"));
        assert_eq!(told("count=1,bytes=-1=;countHardLimit=5", 1, 0), None, "the hard limit stands for the soft one");
    }

    #[test]
    fn only_znodes_under_the_quota_root_say_something() {
        assert_eq!(target("/zookeeper/quota/a/zookeeper_stats", STATS), Some("/a"));
        assert_eq!(target("/zookeeper/quotas/zookeeper_stats", STATS), None);
        assert_eq!(target("/zookeeper/quota/a/zookeeper_limits", STATS), None);
        assert_eq!(target("/a/zookeeper_stats", STATS), None);
    }
}
