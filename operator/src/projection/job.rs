//! What the target asks for, from the answers that have come.
//!
//! Rule: what has not come, or may not be asked for, is told and nothing is done about it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use coordd_api::discovery::{ConfigTree, Instance, LeaderView, Rejected, ServiceEntry, ServiceList, ServiceView};

use super::leader;
use super::name::{Names, assign};
use super::plan::{Ground, Plan};
use super::world::{View, Views};
use crate::crd::projection::{LeaderTarget, Port, Registered, Rejection, ServiceTarget, TrafficDistribution};

/// Of one Service.
const INSTANCES_MAX: usize = 10_000;

/// What stands in Dubbo's root beside the interfaces: where it keeps what it knows of them.
const DUBBO_KEEPS: [&str; 3] = ["metadata", "mapping", "config"];
const DUBBO_ROOT: &str = "dubbo";

static WAITING: View<ServiceView> = View::Waiting;

/// One Service that is wanted.
#[derive(Clone)]
pub(super) struct Child<'a> {
    pub name: String,
    pub path: String,
    /// `None` while it is not known who is registered.
    pub known: Option<Known<'a>>,
    /// It may not be asked for.
    pub refused: bool,
    pub ports: &'a [Port],
    pub headless: bool,
    pub traffic: Option<TrafficDistribution>,
    /// Whether losses are held: not those of an election.
    pub guarded: bool,
}

/// Who is registered.
#[derive(Clone)]
pub(super) struct Known<'a> {
    pub zxid: i64,
    pub instances: Cow<'a, [Instance]>,
}

pub(super) enum Job<'a> {
    Services(Vec<Child<'a>>),
    ConfigMap(&'a View<ConfigTree>),
    Nothing,
}

pub(super) fn jobs<'a>(ground: &Ground<'a>, plan: &mut Plan) -> Job<'a> {
    let target = &ground.projection.spec.target;
    let path = &ground.projection.spec.path;
    match (&ground.world.views, &target.service, &target.leader) {
        (Views::Service(view), Some(service), _) => {
            let name = service.name.clone().unwrap_or_else(|| ground.name().to_owned());
            let known = usable(path, view, plan).then(|| instances(view, plan));
            Job::Services(vec![child(service, name, path.clone(), known)])
        }
        (Views::Children { list, services }, Some(service), _) => {
            if !usable(path, list, plan) {
                return Job::Nothing;
            }
            let children = children(ground, service, list.value(), plan);
            let of = |(name, path): (String, String)| {
                let view = services.get(&path).unwrap_or(&WAITING);
                if let View::Refused(why) = view {
                    plan.partial.push(refusal(&path, why));
                    return Child { refused: true, ..child(service, name, path, None) };
                }
                let known = usable(&path, view, plan).then(|| instances(view, plan));
                child(service, name, path, known)
            };
            Job::Services(children.into_iter().map(of).collect())
        }
        (Views::ConfigMap(view), ..) => Job::ConfigMap(view),
        (Views::Leader(view), _, Some(target)) => {
            if !usable(path, view, plan) {
                return Job::Nothing;
            }
            Job::Services(vec![leading(ground, target, view, plan)])
        }
        // The views are not those of the spec: they were begun before it was changed.
        _ => {
            plan.waiting.push(path.clone());
            Job::Nothing
        }
    }
}

fn child<'a>(service: &'a ServiceTarget, name: String, path: String, known: Option<Known<'a>>) -> Child<'a> {
    let ServiceTarget { ports, headless, traffic_distribution, .. } = service;
    let (headless, traffic) = (*headless, *traffic_distribution);
    Child { name, path, known, refused: false, ports, headless, traffic, guarded: true }
}

fn refusal(path: &str, why: &str) -> String {
    format!("{path} cannot be had: {why}")
}

/// Whether an answer says how things are; else why not is told.
pub(super) fn usable<T>(path: &str, view: &View<T>, plan: &mut Plan) -> bool {
    plan.zxid = plan.zxid.max(view.zxid());
    match view {
        View::Waiting => plan.waiting.push(path.to_owned()),
        View::Refused(why) => plan.problems.push(refusal(path, why)),
        View::Gone { .. } | View::There { .. } => return true,
    }
    false
}

fn instances<'a>(view: &'a View<ServiceView>, plan: &mut Plan) -> Known<'a> {
    let rejected = view.value().map(|view| view.rejected.as_slice()).unwrap_or_default();
    plan.rejected.extend(rejected.iter().map(|Rejected { znode, reason }| {
        let (znode, reason) = (znode.clone(), reason.clone());
        Rejection { znode, reason }
    }));
    let instances = view.value().map(|view| view.instances.as_slice()).unwrap_or_default();
    let (instances, beyond) = instances.split_at(INSTANCES_MAX.min(instances.len()));
    plan.rejected.extend(beyond.iter().map(|instance| Rejection {
        znode: instance.znode.clone(),
        reason: format!("there are more than {INSTANCES_MAX} instances"),
    }));
    Known { zxid: view.zxid().unwrap_or(0), instances: Cow::Borrowed(instances) }
}

/// The children that are projected, as (name, path): those that are already, and of the others, by name, as many as are
/// allowed.
fn children(
    ground: &Ground<'_>,
    service: &ServiceTarget,
    list: Option<&ServiceList>,
    plan: &mut Plan,
) -> Vec<(String, String)> {
    let template = service.name_template.as_deref().unwrap_or("{name}");
    // What a Service that was made of a child is called stays the name of that child.
    let held = ground.below();
    let projected: BTreeSet<&str> = held.values().map(String::as_str).collect();
    let entries = list.map(|list| list.services.as_slice()).unwrap_or_default();
    let spec = &ground.projection.spec;
    let is_root = spec.path.rsplit('/').next() == Some(DUBBO_ROOT);
    let dubbo = spec.format == Registered::Dubbo || (spec.format == Registered::Auto && is_root);
    let is_service = |entry: &&ServiceEntry| !(dubbo && DUBBO_KEEPS.contains(&entry.name.as_str()));
    let mut entries: Vec<&ServiceEntry> = entries.iter().filter(is_service).collect();
    entries.sort_by_key(|entry| (!projected.contains(entry.path.as_str()), &entry.path));
    // Services that are there count whether or not their children are: those of children that went are kept too.
    let most = usize::try_from(ground.projection.spec.guards.max_services).unwrap_or(0);
    let have = entries.partition_point(|entry| projected.contains(entry.path.as_str()));
    let many = entries.split_off((have + most.saturating_sub(held.len())).min(entries.len()));
    plan.rejected.extend(many.iter().map(|entry| Rejection {
        znode: entry.path.clone(),
        reason: format!("there are more services than guards.maxServices, which is {most}"),
    }));
    let named: Vec<(&str, &str)> = entries.iter().map(|entry| (entry.path.as_str(), entry.name.as_str())).collect();
    let Names { mut by_path, collided, nameless } = assign(template, ground.name(), &named, &held);
    // Who can have no name by a new template goes on under the old one.
    let former = held.iter().filter(|(_, path)| nameless.contains_key(*path));
    by_path.extend(former.map(|(name, path)| (path.clone(), name.clone())));
    plan.rejected.extend(nameless.into_iter().map(|(znode, [plain, hashed])| Rejection {
        znode,
        reason: format!("the names {plain} and {hashed} are those of other services: rename one of the znodes"),
    }));
    plan.follow = Some(by_path.keys().cloned().collect());
    let renamed = collided.iter().filter_map(|path| Some(format!("{path} is {}", by_path.get(path)?)));
    plan.renamed = renamed.collect();
    by_path.into_iter().map(|(path, name)| (name, path)).collect()
}

fn leading<'a>(ground: &Ground<'a>, target: &'a LeaderTarget, view: &View<LeaderView>, plan: &mut Plan) -> Child<'a> {
    let name = target.name.clone().unwrap_or_else(|| ground.name().to_owned());
    let found = view.value().map_or(Ok(None), |view| leader::instance(view, ground.world));
    let instance = found.unwrap_or_else(|(znode, reason)| {
        plan.rejected.push(Rejection { znode, reason });
        None
    });
    let path = ground.projection.spec.path.clone();
    if target.lease {
        super::maps::lease(ground, &name, view, plan);
    }
    let known = Known { zxid: view.zxid().unwrap_or(0), instances: instance.into_iter().collect::<Vec<_>>().into() };
    let LeaderTarget { ports, headless, .. } = target;
    let headless = *headless;
    Child { name, path, known: Some(known), refused: false, ports, headless, traffic: None, guarded: false }
}
