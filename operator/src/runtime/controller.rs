//! When clusters are looked at: on every change that concerns them, and after the time that the last look said.
//!
//! ```text
//!   watch of clusters ─┐
//!   Calls (shelves) ───┴─► kube-runtime's queue: one look at a time for each cluster, 8 at once ─► reconcile
//! ```
//!
//! Rule: one controller for each watched namespace, or one for all; they end when told to, not in the middle of a
//! look. Reason: a look that is cut off is safe, but the next one would have to find out how far it came.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use kube::Api;
use kube::ResourceExt;
use kube::runtime::controller::{Config, Controller, Error};
use kube::runtime::watcher::{self, watcher};
use kube::runtime::{WatchStreamExt, reflector};
use tokio::sync::watch;

use super::backoff::Capped;
use super::reconcile::{after_failure, reconcile};
use super::{Context, Guarded, Scope};
use crate::names::ClusterName;

const AT_ONCE: u16 = 8;
/// A burst of changes is looked at once.
const DEBOUNCE: Duration = Duration::from_millis(30);
const WATCH_RETRY_MAX: Duration = Duration::from_secs(5);

/// Looks at all clusters of `scope` until `stop` says so.
pub(crate) async fn control(context: Arc<Context>, scope: Scope, mut stop: watch::Receiver<bool>) {
    let api: Api<Guarded> = super::scoped(&context.client, &scope);
    let (reader, writer) = reflector::store();
    let backoff = Capped::new(watcher::DefaultBackoff::default(), WATCH_RETRY_MAX);
    let clusters = watcher(api, watcher::Config::default())
        .backoff(backoff)
        .modify(|cluster| cluster.managed_fields_mut().clear())
        .reflect(writer)
        .touched_objects();
    let calls = Arc::clone(&context.shelves.calls).stream(scope);
    let stopped = async move {
        // Whoever would say so is gone: that is an end too.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    Controller::for_stream(clusters, reader)
        .reconcile_on(calls)
        .with_config(Config::default().concurrency(AT_ONCE).debounce(DEBOUNCE))
        .graceful_shutdown_on(stopped)
        .run(reconcile, after_failure, Arc::clone(&context))
        .for_each(|looked| {
            note(&context, looked.err());
            std::future::ready(())
        })
        .await;
}

fn note<R: 'static, Q: std::fmt::Display + 'static>(context: &Context, error: Option<Error<R, Q>>) {
    match error {
        Some(Error::ObjectNotFound(gone)) => {
            let name = ClusterName::new(gone.namespace.clone().unwrap_or_default(), &gone.name);
            context.metrics.forget(&name);
            context.applied.forget(&name);
            context.failures.clear(&name);
        }
        Some(Error::QueueError(error)) => {
            context.metrics.watch_failed("coordinationclusters");
            tracing::warn!(%error, "the watch of clusters failed; it is begun again");
        }
        // What a look failed with was said there.
        Some(Error::ReconcilerFailed(..) | Error::RunnerError(_)) | None => {}
    }
}
