//! The part that has hands: it watches, asks, writes, and decides nothing.
//!
//! ```text
//!   shelves (watches, in every replica)          lease ─ held? ─► gate ◄─ every write
//!        └─ calls ─► controller ─► reconcile ─► observe ─► plan ─► apply · act · report
//!                                               └ children, secret, ask      (all through the gate)
//!   projections: registrations ─► Services, with looks of their own
//!   http: /livez /readyz /metrics                fail_point: where tests have it die
//! ```
//!
//! Rule: nothing outside this folder knows a client of Kubernetes, and nothing in it judges a world. Reason: what
//! decides is tried on a million worlds, what writes against a real API server; mixed, neither could be.

mod act;
#[cfg(test)]
mod alarms;
mod apply;
mod ask;
mod backoff;
mod children;
mod claims;
mod controller;
mod fail_point;
mod failure;
mod gate;
mod http;
mod lease;
mod log;
mod metrics;
mod observe;
mod options;
mod projections;
mod reconcile;
mod report;
mod secret;
mod see;
mod shelf;
mod shelves;
mod teller;
mod watching;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use kube::core::DeserializeGuard;
use kube::runtime::events::Reporter;
use kube::{Api, Client, Config, Resource, ResourceExt};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

pub use fail_point::{EXIT_CODE as FAIL_POINT_EXIT_CODE, PROJECTION_WRITES, WRITES};
pub use failure::Failure;
pub use options::Run;

use crate::crd::{CoordinationCluster, ServiceProjection};
use crate::plan::Operator;

/// A cluster, or what of it could be read: one that is stored in a form that this operator does not know must not stop
/// the watch of the others.
pub(crate) type Guarded = DeserializeGuard<CoordinationCluster>;

/// A namespace that is watched; `None`: all.
pub(crate) type Scope = Option<String>;

/// A read that takes longer fails.
const READ_MAX: Duration = Duration::from_secs(5);
/// How long the looks that are under way may take when the operator is told to stop.
const STOP_MAX: Duration = Duration::from_millis(1500);

/// What every look needs.
pub(crate) struct Context {
    pub client: Client,
    pub shelves: Arc<shelves::Shelves>,
    pub gate: gate::Gate,
    pub operator: Operator,
    /// Where the operator itself runs.
    pub namespace: String,
    pub metrics: Arc<metrics::Metrics>,
    pub teller: teller::Teller,
    pub applied: apply::Applied,
    pub failures: backoff::Failures,
    /// What is kept of the projections.
    pub desk: Arc<projections::Desk>,
    pub projection_failures: backoff::Failures,
    /// How often in a row what a projection was looked at by had moved.
    pub projection_moves: backoff::Failures,
}

/// Runs until told to stop, or until the lease is lost.
///
/// # Errors
/// When it cannot start, and when the lease is lost: whoever started it starts it again.
pub fn run(options: &Run) -> Result<(), Failure> {
    log::start(&options.log_level, options.log_format);
    let failed = |why: String| Failure::Start(why);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| failed(format!("no threads: {error}")))?.block_on(serve(options))
}

async fn serve(options: &Run) -> Result<(), Failure> {
    let mut terminated = signal(SignalKind::terminate()).map_err(|error| Failure::Start(error.to_string()))?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(|error| Failure::Start(error.to_string()))?;
    let told = async {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
    };
    tokio::pin!(told);
    let client = client().await?;
    let (stop, stopping) = watch::channel(false);
    let (context, scopes) = start(options, client.clone(), stopping.clone()).await?;
    let held = context.gate.held.clone();
    let keeper =
        lease::Keeper::new(client, &options.operator_namespace, &options.lease, options.identity.clone(), held);
    let mut keeper = keeper.failing(options.fail_at.clone());
    tokio::select! {
        () = keeper.acquire() => {}
        () = &mut told => return Ok(()),
    }
    tracing::info!(identity = options.identity, "this replica leads");
    let (mut controllers, mut aside) = (JoinSet::new(), JoinSet::new());
    if options.projections {
        aside.spawn(projections::keep_up(Arc::clone(&context), scopes.contains(&None)));
    }
    for scope in scopes {
        if options.projections {
            let control = controller::control::<ServiceProjection>;
            controllers.spawn(control(Arc::clone(&context), scope.clone(), stopping.clone()));
        }
        let control = controller::control::<CoordinationCluster>;
        controllers.spawn(control(Arc::clone(&context), scope, stopping.clone()));
    }
    let lost = tokio::select! {
        why = keeper.keep() => Some(format!("the lease is lost: {why}")),
        _ = controllers.join_next() => Some("a controller has ended".to_owned()),
        () = &mut told => None,
    };
    // From here on nobody waits: what leads next has to find its way from whatever was written.
    stop.send_replace(true);
    if let Some(why) = lost {
        tracing::error!("{why}");
        return Err(Failure::Start(why));
    }
    let _ = timeout(STOP_MAX, async { while controllers.join_next().await.is_some() {} }).await;
    controllers.abort_all();
    keeper.release().await;
    tracing::info!("stopped");
    Ok(())
}

async fn client() -> Result<Client, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Start(format!("no way to Kubernetes: {error}"));
    let mut config = Config::infer().await.map_err(|error| failed(&error))?;
    // Whoever asks has a backoff of its own, and waits no longer than it says.
    config.default_retry = false;
    Client::try_from(config).map_err(|error| failed(&error))
}

/// All that runs in every replica.
async fn start(
    options: &Run,
    client: Client,
    stop: watch::Receiver<bool>,
) -> Result<(Arc<Context>, Vec<Scope>), Failure> {
    let listener = TcpListener::bind(options.listen).await;
    let listener = listener.map_err(|error| Failure::Start(format!("{}: {error}", options.listen)))?;
    let scopes = options.scopes();
    let metrics = Arc::new(metrics::Metrics::default());
    let shelves = Arc::new(shelves::Shelves::new(&scopes));
    shelves.watch(&client, &scopes, &metrics);
    let held = gate::Held::default();
    let page = http::Page {
        shelves: Arc::clone(&shelves),
        metrics: Arc::clone(&metrics),
        held: held.clone(),
        scopes: scopes.clone(),
        stop,
    };
    tokio::spawn(http::serve(listener, page));
    let reporter = Reporter { controller: "coordd-operator".to_owned(), instance: Some(options.identity.clone()) };
    let context = Context {
        teller: teller::Teller::new(client.clone(), reporter),
        client,
        shelves,
        gate: gate::Gate::new(held, options.fail_at.clone(), Arc::clone(&metrics)),
        operator: options.operator(),
        namespace: options.operator_namespace.clone(),
        metrics,
        applied: apply::Applied::default(),
        failures: backoff::Failures::default(),
        desk: Arc::new(projections::Desk::new(options.bounds())),
        projection_failures: backoff::Failures::default(),
        projection_moves: backoff::Failures::default(),
    };
    Ok((Arc::new(context), scopes))
}

/// A client of one kind, in one namespace or in all.
pub(crate) fn scoped<K>(client: &Client, scope: &Scope) -> Api<K>
where
    K: Resource<Scope = NamespaceResourceScope>,
    K::DynamicType: Default,
{
    match scope {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

pub(crate) fn name_of(object: &impl ResourceExt) -> String {
    object.name_any()
}

/// A read of Kubernetes that does not take for ever.
pub(crate) async fn read<T>(what: &str, call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Failure> {
    match timeout(READ_MAX, call).await {
        Ok(done) => done.map_err(|error| Failure::kubernetes(what, error)),
        Err(_) => Err(Failure::Late { what: what.to_owned(), limit: READ_MAX }),
    }
}
