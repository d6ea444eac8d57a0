//! Why a reconcile did not come to its end.

use std::time::Duration;

use super::shelf::NOT_LISTED;
use crate::plan::{Hold, Reason};

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{what} are not known: {why}")]
    NotSeen { what: &'static str, why: String },
    #[error("{what}: {source}")]
    Kubernetes {
        what: String,
        #[source]
        source: Box<kube::Error>,
    },
    #[error("{what}: no answer within {} s", .limit.as_secs())]
    Late { what: String, limit: Duration },
    #[error("this replica does not lead any more")]
    NotLeading,
    #[error("{0} of a former cluster of this name is on its way out")]
    Leftover(String),
    #[error("it cannot be read; this operator is older than it: {0}")]
    Unreadable(String),
    #[error("the operating system gives no random numbers: {0}")]
    Random(String),
    #[error("{0} cannot be written as JSON: {1}")]
    Unwritable(&'static str, String),
    #[error("{0}")]
    Start(String),
}

impl Failure {
    pub(crate) fn kubernetes(what: impl Into<String>, source: kube::Error) -> Failure {
        Failure::Kubernetes { what: what.into(), source: Box::new(source) }
    }

    /// What was written on has moved, or is gone: another look tells what is to be done.
    pub(crate) fn is_late(&self) -> bool {
        self.status().is_some_and(|status| status.is_conflict() || status.is_not_found())
    }

    /// The lists that are needed are on their way.
    pub(crate) fn is_early(&self) -> bool {
        matches!(self, Failure::NotSeen { why, .. } if why.ends_with(NOT_LISTED))
    }

    /// It will last, as far as can be seen: what was known before is not what is.
    pub(crate) fn blinds(&self) -> bool {
        match self {
            Failure::NotSeen { .. } => !self.is_early(),
            Failure::Leftover(_) => true,
            _ => self.refused().is_some(),
        }
    }

    /// Kubernetes does not let this be done, and why: what is written is wrong, or a right, a quota or a policy of the
    /// cluster's owner stands against it.
    pub(crate) fn refused(&self) -> Option<Hold> {
        let Failure::Kubernetes { what, .. } = self else { return None };
        let (reason, refused) = match self.status()? {
            status if matches!(status.code, 400 | 422) => (Reason::InvalidSpec, status),
            status if status.code == 403 => (Reason::Forbidden, status),
            _ => return None,
        };
        Some(Hold::new(reason, format!("Kubernetes does not take the {what}: {}", refused.message)))
    }

    /// Whether it may not be read, or there is no such kind, or object, here.
    pub(crate) fn is_closed(&self) -> bool {
        self.status().is_some_and(|status| matches!(status.code, 403 | 404))
    }

    /// Whether it says something of the one object that was to be written, and nothing of any other.
    pub(crate) fn is_of_one(&self) -> bool {
        self.status().is_some_and(|status| !matches!(status.code, 401 | 429 | 503))
    }

    fn status(&self) -> Option<&kube::core::Status> {
        match self {
            Failure::Kubernetes { source, .. } => match source.as_ref() {
                kube::Error::Api(status) => Some(status),
                _ => None,
            },
            _ => None,
        }
    }

    /// A word for the metrics.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Failure::NotSeen { .. } => "not-seen",
            Failure::Kubernetes { .. } => "kubernetes",
            Failure::Late { .. } => "late",
            Failure::NotLeading => "not-leading",
            Failure::Leftover(_) => "leftover",
            Failure::Unreadable(_) => "unreadable",
            Failure::Random(_) | Failure::Unwritable(..) | Failure::Start(_) => "internal",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_on_its_way_is_waited_for_and_one_that_fails_blinds() {
        let not_seen = |why: &str| Failure::NotSeen { what: "the objects of Kubernetes", why: why.to_owned() };
        let (early, failed) = (not_seen("pods: not listed yet"), not_seen("pods: forbidden"));
        assert!(early.is_early() && !early.blinds());
        assert!(!failed.is_early() && failed.blinds());
        let answer = |code: u16| {
            let status = kube::core::Status::failure("no", "").with_code(code).boxed();
            Failure::kubernetes("Secret", kube::Error::Api(status))
        };
        assert!(answer(403).blinds(), "the Secret may not be read");
        assert!(!answer(500).blinds(), "it passes");
        assert!(Failure::Leftover("Service/orders".to_owned()).blinds());
    }
}
