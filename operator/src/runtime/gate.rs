//! The one way out: every write to Kubernetes and every order to a member passes here.
//!
//! ```text
//!   reconcile ─► gate: does this replica lead? ─► fail point before ─► the write, 5 s at most ─► fail point after
//! ```
//!
//! Rule: a write begins only while the lease is certainly held, and has ended before another replica may take it.
//! Reason: a replica that was paused, or cut off from the API server, still thinks that it leads; two that write undo
//! each other's work.

use std::future::Future;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::fail_point::{FailPoint, PROJECTION_WRITES, Side, WRITES};
use super::failure::Failure;
use super::metrics::Metrics;

/// The longest that a write may take; with `lease::HELD` it ends before the lease can be another's.
pub(crate) const WRITE_MAX: Duration = Duration::from_secs(5);

/// Until when the lease is certainly held; shared by the one who renews it and all who write.
#[derive(Clone, Default)]
pub(crate) struct Held {
    end: Arc<Mutex<Option<Instant>>>,
    /// How often the lease had changed hands when it was taken.
    transitions: Arc<AtomicI32>,
}

impl Held {
    pub(crate) fn until(&self, end: Option<Instant>) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = end;
    }

    pub(crate) fn end(&self) -> Option<Instant> {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn taken(&self, transitions: i32) {
        self.transitions.store(transitions, Ordering::Relaxed);
    }

    pub(crate) fn transitions(&self) -> i32 {
        self.transitions.load(Ordering::Relaxed)
    }

    pub(crate) fn is_held(&self) -> bool {
        self.end().is_some_and(|end| Instant::now() < end)
    }
}

pub(crate) struct Gate {
    pub held: Held,
    fail: Option<FailPoint>,
    metrics: Arc<Metrics>,
    limit: Duration,
}

impl Gate {
    pub(crate) fn new(held: Held, fail: Option<FailPoint>, metrics: Arc<Metrics>) -> Gate {
        Gate { held, fail, metrics, limit: WRITE_MAX }
    }

    /// Makes one write of Kubernetes, known as `name` to fail points and metrics.
    pub(crate) async fn write<T>(
        &self,
        name: &str,
        call: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Failure> {
        let done = self.pass(name, timeout(self.limit, call)).await?;
        let done = match done {
            Ok(done) => done.map_err(|error| Failure::kubernetes(name, error)),
            Err(_) => Err(Failure::Late { what: name.to_owned(), limit: self.limit }),
        };
        self.metrics.wrote(name, done.is_ok());
        self.after(name, done.is_ok());
        done
    }

    /// Gives one order to a member. It is fenced by the member itself, so it may take longer than a write.
    pub(crate) async fn order<T, E>(
        &self,
        name: &str,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<Result<T, E>, Failure> {
        let done = self.pass(name, call).await?;
        self.metrics.wrote(name, done.is_ok());
        self.after(name, done.is_ok());
        Ok(done)
    }

    async fn pass<T>(&self, name: &str, call: impl Future<Output = T>) -> Result<T, Failure> {
        if !self.held.is_held() {
            return Err(Failure::NotLeading);
        }
        let known = WRITES.contains(&name) || PROJECTION_WRITES.contains(&name);
        debug_assert!(known, "{name} is not among the writes that tests know of");
        if let Some(fail) = &self.fail {
            fail.reached(name, Side::Before);
        }
        Ok(call.await)
    }

    fn after(&self, name: &str, done: bool) {
        if let Some(fail) = self.fail.as_ref().filter(|_| done) {
            fail.reached(name, Side::After);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(50);

    fn gate() -> Gate {
        Gate { limit: SHORT, ..Gate::new(Held::default(), None, Arc::default()) }
    }

    #[tokio::test]
    async fn nothing_is_written_before_the_lease_and_nothing_after_it() {
        let gate = gate();
        let written = || async { Ok::<_, kube::Error>(()) };
        assert!(matches!(gate.write("status", written()).await, Err(Failure::NotLeading)));
        gate.held.until(Some(Instant::now() + Duration::from_secs(60)));
        assert!(gate.write("status", written()).await.is_ok());
        gate.held.until(Some(Instant::now()));
        assert!(matches!(gate.write("status", written()).await, Err(Failure::NotLeading)));
    }

    #[tokio::test]
    async fn a_write_that_is_not_answered_is_given_up() {
        let gate = gate();
        gate.held.until(Some(Instant::now() + Duration::from_secs(60)));
        let began = Instant::now();
        let done = gate.write("status", std::future::pending::<Result<(), kube::Error>>()).await;
        assert!(matches!(done, Err(Failure::Late { .. })));
        assert!(began.elapsed() >= SHORT);
    }
}
