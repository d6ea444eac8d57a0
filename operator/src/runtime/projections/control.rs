//! When projections are looked at: on every change that concerns them, and after the time that the last look said.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use kube::runtime::controller::{Config, Controller, Error};
use kube::runtime::watcher::{self, watcher};
use kube::runtime::{WatchStreamExt, reflector};
use kube::{Api, ResourceExt};
use tokio::sync::watch;

use super::look::{Guarded, after_failure, reconcile};
use crate::names::ClusterName;
use crate::runtime::backoff::Capped;
use crate::runtime::{Context, Scope, scoped};

const AT_ONCE: u16 = 8;
/// A burst of changes of objects is looked at once; that of registrations has been waited for by the feed.
const DEBOUNCE: Duration = Duration::from_millis(20);
const WATCH_RETRY_MAX: Duration = Duration::from_secs(5);

/// Looks at all projections of `scope` until `stop` says so.
pub(crate) async fn control(context: Arc<Context>, scope: Scope, mut stop: watch::Receiver<bool>) {
    let api: Api<Guarded> = scoped(&context.client, &scope);
    let (reader, writer) = reflector::store();
    let backoff = Capped::new(watcher::DefaultBackoff::default(), WATCH_RETRY_MAX);
    let projections = watcher(api, watcher::Config::default())
        .backoff(backoff)
        .modify(|projection| projection.managed_fields_mut().clear())
        .reflect(writer)
        .touched_objects();
    let calls = Arc::clone(&context.desk.calls).stream(scope);
    let stopped = async move {
        let _ = stop.wait_for(|stop| *stop).await;
    };
    Controller::for_stream(projections, reader)
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
            context.metrics.forget_projection(&name);
            context.projection_failures.clear(&name);
            context.projection_moves.clear(&name);
            context.desk.forget(&name);
        }
        Some(Error::QueueError(error)) => {
            context.metrics.watch_failed("serviceprojections");
            tracing::warn!(%error, "the watch of projections failed; it is begun again");
        }
        Some(Error::ReconcilerFailed(..) | Error::RunnerError(_)) | None => {}
    }
}
