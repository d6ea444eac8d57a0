//! When objects are looked at: on every change that concerns them, and after the time that the last look said.
//!
//! ```text
//!   watch of a kind ─┐
//!   Calls (shelves) ─┴─► kube-runtime's queue: one look at a time for each object, 8 at once ─► Looked::look
//! ```
//!
//! Rule: one controller for each kind and watched namespace, or one for all; they end when told to, not in the middle
//! of a look. Reason: a look that is cut off is safe, but the next one would have to find out how far it came.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use kube::core::DeserializeGuard;
use kube::runtime::controller::{Action, Config, Controller, Error};
use kube::runtime::watcher::{self, watcher};
use kube::runtime::{WatchStreamExt, reflector};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::backoff::Capped;
use super::failure::Failure;
use super::shelves::Calls;
use super::{Context, Scope};
use crate::names::ClusterName;

const AT_ONCE: u16 = 8;
const WATCH_RETRY_MAX: Duration = Duration::from_secs(5);

/// A kind whose objects are looked at.
pub(crate) trait Looked: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Sized
where
    Self: Clone + fmt::Debug + DeserializeOwned + Send + Sync + 'static,
{
    /// What Kubernetes and the metrics call them.
    const PLURAL: &'static str;
    /// A burst of changes is looked at once.
    const DEBOUNCE: Duration;

    /// Who else says that one of them is to be looked at.
    fn calls(context: &Context) -> Arc<Calls>;

    fn look(
        object: Arc<DeserializeGuard<Self>>,
        context: Arc<Context>,
    ) -> impl Future<Output = Result<Action, Failure>> + Send;

    /// When to look again at one whose look has failed.
    fn after_failure(object: Arc<DeserializeGuard<Self>>, failure: &Failure, context: Arc<Context>) -> Action;

    /// Drops what is kept of one that is gone.
    fn forget(context: &Context, name: &ClusterName);
}

/// Namespace and name of an object, readable or not.
pub(crate) fn full_name(object: &impl ResourceExt) -> ClusterName {
    ClusterName::new(object.namespace().unwrap_or_default(), object.name_any())
}

/// Looks at all objects of `scope` until `stop` says so.
pub(crate) async fn control<K: Looked>(context: Arc<Context>, scope: Scope, mut stop: watch::Receiver<bool>) {
    let (reader, writer) = reflector::store();
    let backoff = Capped::new(watcher::DefaultBackoff::default(), WATCH_RETRY_MAX);
    let objects = watcher(super::scoped::<DeserializeGuard<K>>(&context.client, &scope), watcher::Config::default())
        .backoff(backoff)
        .modify(|object| object.managed_fields_mut().clear())
        .reflect(writer)
        .touched_objects();
    let calls = K::calls(&context).stream(scope);
    let stopped = async move {
        // Whoever would say so is gone: that is an end too.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    Controller::for_stream(objects, reader)
        .reconcile_on(calls)
        .with_config(Config::default().concurrency(AT_ONCE).debounce(K::DEBOUNCE))
        .graceful_shutdown_on(stopped)
        .run(K::look, K::after_failure, Arc::clone(&context))
        .for_each(|looked| {
            note::<K, _, _>(&context, looked.err());
            std::future::ready(())
        })
        .await;
}

fn note<K: Looked, R: 'static, Q: fmt::Display + 'static>(context: &Context, error: Option<Error<R, Q>>) {
    match error {
        Some(Error::ObjectNotFound(gone)) => {
            K::forget(context, &ClusterName::new(gone.namespace.clone().unwrap_or_default(), &gone.name));
        }
        Some(Error::QueueError(error)) => {
            context.metrics.watch_failed(K::PLURAL);
            tracing::warn!(%error, "the watch of {} failed; it is begun again", K::PLURAL);
        }
        // What a look failed with was said there.
        Some(Error::ReconcilerFailed(..) | Error::RunnerError(_)) | None => {}
    }
}
