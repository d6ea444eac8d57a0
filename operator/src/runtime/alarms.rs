//! Which alerts of the chart speak of which worlds: their expressions, evaluated over the figures of one cluster.
//!
//! ```text
//!   world ─► status ─► Metrics (text) ─┐
//!   templates/alerts.yaml: expr ───────┴─► vector of one cluster's series ─► empty: silent
//! ```
//!
//! Rule: only what the expressions use is understood, anything else fails; how long an alert waits is not asked.

use std::path::Path;

use super::metrics::Metrics;
use crate::crd::{Bootstrap, ClusterStatus, CoordinationClusterSpec, RetentionPolicy};
use crate::names::ClusterName;
use crate::status::tests::{NOW, ask, claim, healthy, shown, shown_after, silence};
use crate::status::unseen;
use crate::world::{Asked, Claim, ClaimState, Part, PodState, Seen, World};

/// Name and expression of each alert on what the operator knows of a cluster, but for how old that is.
fn alerts() -> Vec<(String, String)> {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/coordd-operator/templates/alerts.yaml");
    let text = std::fs::read_to_string(chart).unwrap();
    let after = |key: &str| {
        let found = text.lines().filter_map(|line| line.trim().strip_prefix(key).map(str::to_owned));
        found.collect::<Vec<_>>()
    };
    let all = after("- alert: ").into_iter().zip(after("expr: "));
    all.filter(|(_, expr)| expr.contains("coordd_operator_cluster_") && !expr.contains("_timestamp_")).collect()
}

/// What is left of an expression, and the figures that it is evaluated over.
struct Reader<'a> {
    rest: &'a str,
    figures: &'a str,
}

impl<'a> Reader<'a> {
    fn skips(&mut self, word: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(word);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn until(&mut self, end: char) -> &'a str {
        let (before, rest) = self.rest.split_once(end).unwrap();
        self.rest = rest;
        before
    }

    /// `and` and `unless` bind closer than `or`.
    fn either(&mut self) -> Vec<i64> {
        let mut left = self.both();
        while self.skips("or on (namespace, cluster)") {
            let right = self.both();
            left = if left.is_empty() { right } else { left };
        }
        left
    }

    fn both(&mut self) -> Vec<i64> {
        let mut left = self.compared();
        loop {
            let wanted = match () {
                () if self.skips("and on (namespace, cluster)") => true,
                () if self.skips("unless on (namespace, cluster)") => false,
                () => return left,
            };
            if self.compared().is_empty() == wanted {
                left.clear();
            }
        }
    }

    fn compared(&mut self) -> Vec<i64> {
        let all = self.one();
        let equal = match () {
            () if self.skips("== ") => true,
            () if self.skips("!= ") => false,
            () => return all,
        };
        let end = self.rest.find([' ', ')']).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        self.rest = rest;
        let number: i64 = number.parse().unwrap();
        all.into_iter().filter(|value| (*value == number) == equal).collect()
    }

    fn one(&mut self) -> Vec<i64> {
        let greatest = self.skips("max by (namespace, cluster)");
        if self.skips("(") {
            let inner = self.either();
            assert!(self.skips(")"), "{}", self.rest);
            return if greatest { inner.into_iter().max().into_iter().collect() } else { inner };
        }
        let (name, inner) = (self.until('{').trim(), self.until('}'));
        let unlike = inner.contains("!~");
        let (label, words) = inner.split_once(if unlike { "!~" } else { "=" }).unwrap();
        let words = words.trim_matches('"');
        let wanted = |line: &&str| {
            let value = line.split_once(&format!("{label}=\"")).and_then(|(_, rest)| rest.split('"').next());
            line.starts_with(&format!("{name}{{")) && words.split('|').any(|word| value == Some(word)) != unlike
        };
        let lines = self.figures.lines().filter(wanted);
        lines.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
    }
}

fn speaking(status: &ClusterStatus) -> Vec<String> {
    let (metrics, name) = (Metrics::default(), ClusterName::new("shop", "orders"));
    metrics.observed(&name, status, 0);
    let figures = metrics.text(true);
    let speaks = |expr: &str| {
        let mut reader = Reader { rest: expr, figures: &figures };
        let vector = reader.either();
        assert_eq!(reader.rest.trim(), "", "{expr}");
        !vector.is_empty()
    };
    alerts().into_iter().filter(|(_, expr)| speaks(expr)).map(|(name, _)| name).collect()
}

fn spec(change: impl FnOnce(&mut CoordinationClusterSpec)) -> CoordinationClusterSpec {
    let mut spec = CoordinationClusterSpec::default();
    change(&mut spec);
    spec
}

fn shown_of(spec: &CoordinationClusterSpec, world: &World) -> ClusterStatus {
    shown_after(&ClusterStatus::default(), spec, world)
}

/// The images of the first members are being pulled.
fn founding() -> World {
    let mut world = healthy();
    world.bootstrap = world.bootstrap.map(|record| Bootstrap { ensemble_id: None, ..record });
    for pod in &mut world.pods {
        (pod.state, pod.ready_since, pod.asked) = (PodState::Starting, None, Asked::NotYet);
    }
    world
}

/// All members but one have stopped, and that one hangs on a node that is away.
fn stopping() -> World {
    let mut world = healthy();
    world.pods.truncate(1);
    (world.pods[0].deleting, world.pods[0].ready_since) = (Some(NOW), None);
    silence(&mut world, &[0]);
    let Seen::There(set) = &mut world.stateful_set else { panic!() };
    set.replicas = 0;
    world
}

#[test]
fn an_alert_speaks_of_the_worlds_that_it_is_about_and_of_no_other() {
    let world = |change: fn(&mut World)| {
        let mut world = healthy();
        change(&mut world);
        world
    };
    let down = world(|world| {
        world.pods[..2].iter_mut().for_each(|pod| (pod.state, pod.ready_since) = (PodState::Ended, None));
        silence(world, &[0, 1]);
    });
    let leaderless = world(|world| ask(world, |answer| (answer.leader, answer.part) = (None, Part::Candidate)));
    let full = world(|world| ask(world, |answer| answer.not_serving = Some("the disk is full".into())));
    let told_apart = world(|world| world.pods.iter_mut().for_each(|pod| pod.asked = Asked::WrongToken));
    let one_silent = world(|world| silence(world, &[2]));
    let all_silent = world(|world| silence(world, &[0, 1, 2]));
    let foreign_claim = world(|world| world.claims[0] = Claim { ours: false, ..claim(0) });
    let unbound = world(|world| world.claims[0].state = ClaimState::Pending);
    let unmarked = spec(|spec| spec.storage.retention.when_deleted = RetentionPolicy::Delete);
    let unknown = spec(|spec| spec.version = Some("9.9.9".into()));
    let (paused, asleep) = (spec(|spec| spec.paused = true), spec(|spec| spec.hibernate = true));
    let asleep_and_unknown = CoordinationClusterSpec { hibernate: true, ..unknown.clone() };
    let (deleting, going) = (World { deleting: true, ..stopping() }, World { deleting: true, ..healthy() });
    let none: &[&str] = &[];
    let table: [(&str, ClusterStatus, &[&str]); 18] = [
        ("well", shown(&healthy()), none),
        ("quorum lost", shown(&down), &["CoorddQuorumLost"]),
        ("no leader", shown(&leaderless), &["CoorddQuorumLost"]),
        ("disks full", shown(&full), &["CoorddQuorumLost"]),
        ("founding", shown(&founding()), &["CoorddStuck"]),
        ("founding, unknown version", shown_of(&unknown, &founding()), &["CoorddStuck"]),
        ("founding, paused", shown_of(&paused, &founding()), none),
        ("stopping to hibernate", shown_of(&asleep, &stopping()), none),
        ("stopping to hibernate, unknown version", shown_of(&asleep_and_unknown, &stopping()), none),
        ("being deleted", shown(&deleting), none),
        ("being deleted, and serving", shown(&going), none),
        ("one cannot be asked", shown(&one_silent), &["CoorddMembersNotReady"]),
        ("none can be asked", shown(&all_silent), &["CoorddQuorumUnknown"]),
        ("none takes the token", shown(&told_apart), &["CoorddQuorumUnknown", "CoorddStuck"]),
        ("a volume is not bound", shown(&unbound), &["CoorddVolumeLost"]),
        ("volumes that a deletion would keep against the spec", shown_of(&unmarked, &healthy()), none),
        ("unknown version", shown_of(&unknown, &healthy()), &["CoorddStuck"]),
        ("not looked at", unseen(&shown(&down), "pods: forbidden", NOW), &["CoorddQuorumUnknown"]),
    ];
    for (what, status, wanted) in table {
        assert_eq!(speaking(&status), wanted, "{what}: {:#?}", status.conditions);
    }
    assert!(speaking(&shown(&foreign_claim)).contains(&"CoorddVolumeLost".to_owned()));
}
