//! One look at one projection, and what follows from it.
//!
//! ```text
//!   cluster, Secret (live) ─► feed ─► views, room, hosts ─► plan ─► writes? ─► carried out, and looked at again
//!                                                                └─ none ──► status and events ─► when to look again
//! ```
//!
//! Rule: the status is written by a look that had nothing else to write, or could not. Reason: it says what is there,
//! and while slices are being written that is news all the time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::api::{Patch, PatchParams};
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use kube::{Api, Resource, ResourceExt};
use serde_json::json;
use tracing::Instrument;

use super::cluster::{self, Closed, Open};
use super::feed::{Feed, Sight};
use super::room::{Ours, Room, Shelves};
use super::source::Key;
use super::write::{Done, Writer};
use crate::crd::{ProjectionStatus, ServiceProjection};
use crate::names::{ClusterName, manager};
use crate::projection::{
    Addresses, LeaseShape, MapShape, Plan, Present, Refused, Scene, Source, View, Views, World, Write, blind, events,
    plan, status,
};
use crate::runtime::backoff::jitter;
use crate::runtime::controller::{Looked, full_name};
use crate::runtime::failure::Failure;
use crate::runtime::shelf::{self, NOT_LISTED, Shelf};
use crate::runtime::shelves::Calls;
use crate::runtime::{Context, report};
use crate::world::Moment;

/// A projection, or what of it could be read.
type Guarded = DeserializeGuard<ServiceProjection>;

/// Until the slices of a Service are written that was just made.
const SOON: Duration = Duration::from_millis(50);
/// Until it is looked at whether all is written; meanwhile what comes in a burst is gathered.
const WRITTEN: Duration = Duration::from_millis(300);
/// Of what is refused so much is told.
const TOLD: usize = 5;
/// What fails, or moves, so often in a row is told.
const OFTEN: u32 = 4;
/// The ensemble may be another by now; where its members are is told without a look.
const LOST: Duration = Duration::from_secs(1);
/// Until it is known where no endpoint may be: an endpoint could be at a node, and none has a zone.
const LISTED: Duration = Duration::from_secs(1);
/// What Kubernetes forbids, what is somebody else's, and a cluster or a Secret that is not there, may change.
const BLOCKED: Duration = Duration::from_secs(10);
/// Whether the cluster still allows it, where its members are, what names stand for.
const REST: Duration = Duration::from_secs(30);
const UNREADABLE: Duration = Duration::from_secs(300);

async fn reconcile(object: Arc<Guarded>, context: Arc<Context>) -> Result<Action, Failure> {
    let name = full_name(&*object);
    let span = tracing::info_span!("projection", projection = %name);
    async {
        let began = Instant::now();
        let looked = match &object.0 {
            Ok(projection) => Box::pin(look(&context, &name, projection)).await,
            Err(unreadable) => {
                tracing::error!(error = unreadable.error, "it cannot be read; this operator is older than it");
                Ok(UNREADABLE)
            }
        };
        let looked = match looked {
            Err(failure) if failure.is_late() => {
                tracing::debug!(%failure, "what was looked at has moved");
                // Again and again is no race any more.
                Ok(context.projection_moves.note(&name))
            }
            looked => {
                context.projection_moves.clear(&name);
                looked
            }
        };
        context.metrics.reconciled(began.elapsed(), looked.as_ref().err().map(Failure::kind));
        match &looked {
            Ok(_) => context.projection_failures.clear(&name),
            Err(failure) => tracing::warn!(%failure, "the look failed; another follows"),
        }
        looked.map(|wait| Action::requeue(jitter(wait)))
    }
    .instrument(span)
    .await
}

impl Looked for ServiceProjection {
    const PLURAL: &'static str = "serviceprojections";
    /// That of registrations has been waited for by the feed.
    const DEBOUNCE: Duration = Duration::from_millis(20);

    fn calls(context: &Context) -> Arc<Calls> {
        Arc::clone(&context.desk.calls)
    }

    async fn look(object: Arc<Guarded>, context: Arc<Context>) -> Result<Action, Failure> {
        reconcile(object, context).await
    }

    fn after_failure(object: Arc<Guarded>, _: &Failure, context: Arc<Context>) -> Action {
        Action::requeue(context.projection_failures.note(&full_name(&*object)))
    }

    fn forget(context: &Context, name: &ClusterName) {
        context.metrics.forget_projection(name);
        context.projection_failures.clear(name);
        context.projection_moves.clear(name);
        context.desk.forget(name);
    }
}

fn now() -> Moment {
    Moment(k8s_openapi::jiff::Timestamp::now().as_millisecond())
}

/// Whether nothing is `missing`, and not only on its way; what cannot be seen is told.
async fn is_seen(
    context: &Context,
    name: &ClusterName,
    projection: &ServiceProjection,
    what: &'static str,
    missing: Option<String>,
) -> Result<bool, Failure> {
    let Some(why) = missing else { return Ok(true) };
    if why == NOT_LISTED {
        return Ok(false);
    }
    let failure = Failure::NotSeen { what, why };
    say(context, projection, name, &blind(projection, &failure.to_string(), now())).await?;
    Err(failure)
}

async fn look(context: &Context, name: &ClusterName, projection: &ServiceProjection) -> Result<Duration, Failure> {
    if projection.metadata.deletion_timestamp.is_some() {
        context.desk.forget(name);
        return Ok(REST);
    }
    let desk = &context.desk;
    let room = desk.room(&name.namespace, || Room::open(context, &name.namespace));
    let memory = desk.memory(name);
    desk.remember(name, memory.clone());
    if !is_seen(context, name, projection, "the projected objects", room.missing()).await? {
        // It is called when all has been listed.
        return Ok(BLOCKED);
    }
    let missing = desk.networks.missing(context.shelves.nodes.missing());
    if !is_seen(context, name, projection, "the addresses of nodes and Services", missing).await? {
        return Ok(LISTED);
    }
    let writer = Writer { context, room: &room, namespace: &name.namespace };
    for ((kind, other), since) in room.foreign() {
        if since.elapsed() >= BLOCKED {
            // It is no reason not to look at the rest.
            if let Err(failure) = writer.look_again(kind, &other).await {
                tracing::debug!(%failure, "a name that was somebody else's cannot be looked at");
            }
        }
    }
    let feed = feed(context, &room, name, projection).await?;
    let mut world = observe(context, &room, feed.as_ref());
    let addresses = addresses(context, projection);
    world.hosts = desk.hosts.known(name);
    let plan = plan(projection, &world, &addresses, &memory, now());
    desk.remember(name, plan.memory.clone());
    desk.hosts.want(name, &plan.hosts);
    if let (Ok(feed), Some(children)) = (&feed, &plan.follow) {
        feed.children(children);
    }
    let done = writer.all(&plan.writes).await?;
    if done.count > 0 {
        tracing::info!(writes = done.count, zxid = plan.zxid, "written");
    }
    let refused = told(context, name, &done);
    let mut wait = rest(&world, &plan, &refused);
    // While something is being written the counts are news all the time; that something may not be is told at once.
    if refused.is_some() || (done.count == 0 && done.failed.is_none()) {
        wait = wait.min(tell(context, projection, &world, &plan, &refused).await?);
    }
    match done.failed {
        Some(failure) => Err(failure),
        None if done.count > 0 => {
            let makes = plan.writes.iter().any(|write| matches!(write, Write::Service(_)));
            Ok(if makes { SOON } else { WRITTEN })
        }
        None => Ok(wait),
    }
}

/// What of the writes has to be told: what is refused, and what has failed or moved again and again.
fn told(context: &Context, name: &ClusterName, done: &Done) -> Refused {
    words(done, context.projection_moves.count(name), context.projection_failures.count(name))
}

fn words(done: &Done, moves: u32, failures: u32) -> Refused {
    let often = |failure: &&Failure| if failure.is_late() { moves >= OFTEN } else { failures >= OFTEN };
    let failed = done.failed.as_ref().filter(often).map(Failure::to_string);
    let words: Vec<String> = done.refused.iter().cloned().chain(failed).collect();
    let more = words.len().saturating_sub(TOLD);
    let shown = words.into_iter().take(TOLD).reduce(|all, one| format!("{all}; {one}"))?;
    Some(if more > 0 { format!("{shown}; and {more} more") } else { shown })
}

/// What is followed: as before, or anew where the question, the cluster or the credentials are others.
async fn feed(
    context: &Context,
    room: &Room,
    name: &ClusterName,
    projection: &ServiceProjection,
) -> Result<Result<Arc<Feed>, Closed>, Failure> {
    let desk = &context.desk;
    let Open { name: cluster, uid, ensemble, addresses, credentials } = match cluster::open(context, projection).await?
    {
        Ok(open) => open,
        Err(closed) => {
            desk.set_feed(name, None);
            return Ok(Err(closed));
        }
    };
    let key = Key::new(&projection.spec, cluster, uid, ensemble, credentials);
    if let Some(feed) = desk.feed(name).filter(|feed| feed.key == key) {
        // Even if there are none: an address that was a member's may be anybody's by now.
        feed.relocate(addresses);
        return Ok(Ok(feed));
    }
    let written = written(&room.shelves, name, key.ensemble.as_deref(), &key.cluster.to_string());
    // What the former one holds is given back first.
    desk.set_feed(name, None);
    let (budget, calls) = (Arc::clone(&desk.budget), Arc::clone(&desk.calls));
    let feed = Arc::new(Feed::open(key, addresses, written, budget, calls, name.clone()));
    desk.set_feed(name, Some(Arc::clone(&feed)));
    Ok(Ok(feed))
}

/// The newest change by path that what stands there of a projection rests on, of this ensemble. Not that of others: who
/// may read more is told of newer changes.
fn written(shelves: &Shelves, of: &ClusterName, ensemble: Option<&str>, cluster: &str) -> BTreeMap<String, i64> {
    let Shelves { slices, config_maps, leases, .. } = shelves;
    let slices = mine(slices, of).into_iter().map(|one| (one.value.source.clone(), one.value.change.clone()));
    let shape = |one: Arc<Ours<Present<MapShape>>>| (one.value.shape.source.clone(), one.value.shape.change.clone());
    let maps = mine(config_maps, of).into_iter().map(shape);
    let shape = |one: Arc<Ours<Present<LeaseShape>>>| (one.value.shape.source.clone(), one.value.shape.change.clone());
    let leases = mine(leases, of).into_iter().map(shape);
    newest(slices.chain(maps).chain(leases), ensemble, cluster)
}

/// What bears the label of one projection.
fn mine<T: PartialEq>(shelf: &Shelf<Ours<T>>, of: &ClusterName) -> Vec<Arc<Ours<T>>> {
    let all = shelf.select(|key, ours| key.namespace == of.namespace && ours.projection == of.name);
    all.into_iter().map(|(_, ours)| ours).collect()
}

fn newest(
    all: impl Iterator<Item = (String, Option<(String, i64)>)>,
    ensemble: Option<&str>,
    cluster: &str,
) -> BTreeMap<String, i64> {
    let mut newest = BTreeMap::new();
    for (source, change) in all {
        let change = change.filter(|(of, _)| Some(of.as_str()) == ensemble);
        if let (Some(path), Some((_, zxid))) = (source.strip_prefix(cluster), change) {
            let most = newest.entry(path.to_owned()).or_insert(zxid);
            *most = zxid.max(*most);
        }
    }
    newest
}

fn observe(context: &Context, room: &Room, feed: Result<&Arc<Feed>, &Closed>) -> World {
    let Sight { views, source, reached, settled } = match feed {
        Ok(feed) => feed.look(),
        Err(Closed(reason, why)) => {
            let source = Source::Closed { reason, why: why.clone() };
            Sight { views: Views::Service(View::Waiting), source, reached: BTreeSet::new(), settled: false }
        }
    };
    let zone = |node: &str| context.shelves.nodes.get(&shelf::Key::new("", node)).and_then(|node| node.zone.clone());
    let shelves = &room.shelves;
    World {
        source,
        reached,
        views,
        settled,
        services: named(&shelves.services),
        config_maps: named(&shelves.config_maps),
        leases: named(&shelves.leases),
        slices: named(&shelves.slices).into_values().collect(),
        foreign: room.foreign().into_keys().collect(),
        pods: room.pods(zone),
        projected: context.desk.services().0,
        ensemble: feed.ok().and_then(|feed| feed.key.ensemble.clone()).unwrap_or_default(),
        hosts: BTreeMap::new(),
        term: context.gate.held.transitions(),
    }
}

/// All of a kind by name.
fn named<T: Clone + PartialEq>(shelf: &Shelf<Ours<T>>) -> BTreeMap<String, T> {
    shelf.select(|_, _| true).into_iter().map(|(key, ours)| (key.name, ours.value.clone())).collect()
}

fn addresses(context: &Context, projection: &ServiceProjection) -> Addresses {
    let guards = &projection.spec.guards;
    let desk = &context.desk;
    let bounds = &desk.bounds;
    let nodes = context.shelves.nodes.select(|_, _| !bounds.at_nodes);
    Addresses {
        allowed: guards.allowed_cidrs.iter().filter_map(|text| text.parse().ok()).collect(),
        bound: bounds.allowed.clone(),
        denied: bounds.denied.clone(),
        networks: desk.networks.of_services(),
        machines: nodes.iter().flat_map(|(_, node)| node.addresses.clone()).chain(bounds.api_server).collect(),
        api_server: desk.networks.api_server(),
        services: desk.services().1,
    }
}

/// When to look again though nothing has changed.
fn rest(world: &World, plan: &Plan, refused: &Refused) -> Duration {
    let mut wait = REST;
    if let Source::Lost { since, .. } = &world.source {
        // Where the list is followed the members are where they were.
        wait = wait.min(if world.reached.is_empty() { lost(since.until(now())) } else { BLOCKED });
    }
    let closed = matches!(world.source, Source::Closed { .. });
    if closed || refused.is_some() || !plan.conflicts.is_empty() {
        wait = wait.min(BLOCKED);
    }
    if let Some(wake) = plan.wake {
        wait = wait.min(now().until(wake) + SOON);
    }
    wait
}

/// How long to wait while an ensemble has been away for so long: hibernated for a night, it costs no look a second.
fn lost(away: Duration) -> Duration {
    (away / 4).clamp(LOST, REST)
}

/// Writes the status if it says something new, and tells what has changed.
async fn tell(
    context: &Context,
    projection: &ServiceProjection,
    world: &World,
    plan: &Plan,
    refused: &Refused,
) -> Result<Duration, Failure> {
    let now = now();
    let scene = Scene { projection, world, plan, refused, now };
    let after = status(&scene);
    let name = ClusterName::new(projection.metadata.namespace.clone().unwrap_or_default(), projection.name_any());
    say(context, projection, &name, &after).await?;
    Ok(scene.next_at().map_or(REST, |at| now.until(at) + SOON))
}

/// Writes a status that says something new, and tells it.
async fn say(
    context: &Context,
    projection: &ServiceProjection,
    name: &ClusterName,
    after: &ProjectionStatus,
) -> Result<(), Failure> {
    let before = projection.status.clone().unwrap_or_default();
    context.metrics.projected(name, after, context.desk.held(name));
    if *after == before {
        return Ok(());
    }
    write(context, projection, name, after).await?;
    for event in events(&before, after) {
        report::tell(context, &projection.object_ref(&()), event).await;
    }
    Ok(())
}

async fn write(
    context: &Context,
    projection: &ServiceProjection,
    name: &ClusterName,
    status: &ProjectionStatus,
) -> Result<(), Failure> {
    let api: Api<ServiceProjection> = Api::namespaced(context.client.clone(), &name.namespace);
    let meta = &projection.metadata;
    let patch = Patch::Apply(json!({
        "apiVersion": ServiceProjection::api_version(&()),
        "kind": ServiceProjection::kind(&()),
        "metadata": {"name": meta.name, "uid": meta.uid, "resourceVersion": meta.resource_version},
        "status": status,
    }));
    let params = PatchParams::apply(manager::STATUS).force();
    context.gate.write("projection-status", api.patch_status(&name.name, &params, &patch)).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_an_ensemble_is_away_the_rarer_it_is_looked_at() {
        let waits = [0, 3, 20, 60, 86_400].map(|away| lost(Duration::from_secs(away)).as_secs());
        assert_eq!(waits, [1, 1, 5, 15, 30]);
    }

    #[test]
    fn another_projection_of_the_same_path_says_nothing_of_how_new_an_answer_is() {
        let slices = Shelf::new(&[None]);
        let put = |name: &str, projection: &str| {
            let value = name.to_owned();
            slices.put(&shelf::Key::new("web", name), Some(Ours { projection: projection.to_owned(), value }));
        };
        put("a-1", "a");
        put("b-1", "b");
        let found = mine(&slices, &ClusterName::new("web", "a"));
        assert_eq!(found.iter().map(|one| one.value.as_str()).collect::<Vec<_>>(), ["a-1"]);
        assert!(mine(&slices, &ClusterName::new("shop", "a")).is_empty());
    }

    #[test]
    fn the_newest_change_of_each_path_is_that_of_this_ensemble_and_cluster() {
        let one = |source: &str, of: &str, zxid: i64| (source.to_owned(), Some((of.to_owned(), zxid)));
        let all = [
            one("shop/zk/a", "e1", 5),
            one("shop/zk/a", "e1", 9),
            one("shop/zk/a", "e2", 70),
            one("shop/other/a", "e1", 80),
            ("shop/zk/b".to_owned(), None),
        ];
        assert_eq!(newest(all.into_iter(), Some("e1"), "shop/zk"), [("/a".to_owned(), 9)].into());
    }

    #[test]
    fn what_fails_each_time_is_told() {
        let error = |code: u16, reason: &str| {
            let status = kube::core::Status::failure("failed calling webhook", reason).with_code(code).boxed();
            Failure::kubernetes("projection-service", kube::Error::Api(status))
        };
        for (failure, moves, failures, told) in [
            (error(500, "InternalError"), 9, 3, false),
            (error(500, "InternalError"), 0, 4, true),
            (error(409, "Conflict"), 3, 9, false),
            (error(409, "Conflict"), 4, 0, true),
        ] {
            let done = Done { failed: Some(failure), ..Done::default() };
            let said = words(&done, moves, failures);
            assert_eq!(said.is_some_and(|said| said.contains("failed calling webhook")), told, "{moves} {failures}");
        }
        assert_eq!(words(&Done::default(), 9, 9), None);
    }
}
