//! Why a reconcile did not come to its end.

use std::time::Duration;

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
            Failure::Random(_) | Failure::Unwritable(..) | Failure::Start(_) => "internal",
        }
    }
}
