//! What is said of a projection.
//!
//! Rule: nothing here changes with time alone but what has to: a source that has been lost for too long; nor with what
//! changes in the znodes and not in what is written, more than once a minute. Reason: a status that is written on every
//! look costs every watcher; two hundred projections at rest are to cost nothing, and servers that register their load
//! every second little. Of a spec nothing good is said before its first answers: whoever waits for a condition of this
//! generation must not be told of what was written for the last.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::guard::HoldKind;
use super::plan::Plan;
use super::world::{Source, World};
use crate::crd::projection::{ProjectionStatus, ServiceProjection, condition};
use crate::status::Event;
use crate::world::Moment;

const SHOWN: usize = 5;
/// A line that breaks is joined to another member within a moment, as when members are restarted one by one.
const LOST_AFTER_MS: i64 = 5_000;
/// How often a zxid is told with which nothing else has changed.
const ZXID_MS: i64 = 60_000;

const WAITING: &str = "Waiting";
const NOT_PROJECTED: &str = "NotProjected";
const HELD: [&str; 3] = ["EmptyHeld", "HalfEmptyHeld", "FewHeld"];
/// Reasons for which something is not True that are known from an answer.
const OF_ANSWERS: [&str; 4] = [NOT_PROJECTED, HELD[0], HELD[1], HELD[2]];

/// What Kubernetes does not let in, in its own words.
pub type Refused = Option<String>;

/// What a status is made from.
pub struct Scene<'a> {
    pub projection: &'a ServiceProjection,
    pub world: &'a World,
    pub plan: &'a Plan,
    pub refused: &'a Refused,
    pub now: Moment,
}

/// A condition less its times.
struct Said {
    status: &'static str,
    reason: &'static str,
    message: String,
}

fn said(status: &'static str, reason: &'static str, message: impl Into<String>) -> Said {
    Said { status, reason, message: message.into() }
}

fn time(moment: Moment) -> Time {
    Time(Timestamp::from_millisecond(moment.0).unwrap_or_default())
}

fn some(words: &[String]) -> String {
    let shown = words.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    if words.len() > SHOWN { format!("{shown}; and {} more", words.len() - SHOWN) } else { shown }
}

impl Scene<'_> {
    /// Since when the source has been lost. An operator that was started meanwhile has seen it since then only; the
    /// status knows it better.
    fn lost_since(&self) -> Option<Moment> {
        let Source::Lost { since, .. } = &self.world.source else { return None };
        let before = self.projection.status.iter().flat_map(|status| &status.conditions);
        let told = before.filter(|old| old.type_ == condition::SOURCE_REACHABLE && old.status == "False");
        let told = told.map(|old| Moment(old.last_transition_time.0.as_millisecond())).min();
        Some(told.map_or(*since, |told| told.min(*since)))
    }

    /// When the source will have been lost for too long, if that is to come.
    pub fn stale_at(&self) -> Option<Moment> {
        let since = self.lost_since()?;
        let after = self.projection.spec.guards.stale_after.or(std::time::Duration::from_secs(300));
        Some(Moment(since.0.saturating_add(i64::try_from(after.as_millis()).unwrap_or(i64::MAX))))
    }

    /// When it will be said that the source is lost.
    fn lost_at(&self) -> Option<Moment> {
        Some(Moment(self.lost_since()?.0.saturating_add(LOST_AFTER_MS)))
    }

    fn is_lost(&self) -> bool {
        self.lost_at().is_some_and(|at| self.now >= at)
    }

    fn was_connected(&self) -> bool {
        let before = self.projection.status.iter().flat_map(|status| &status.conditions);
        before.filter(|old| old.type_ == condition::SOURCE_REACHABLE).any(|old| old.status == "True")
    }

    /// When there will be something new to say, though nothing else has changed.
    pub fn next_at(&self) -> Option<Moment> {
        [self.lost_at(), self.stale_at()].into_iter().flatten().find(|at| *at > self.now)
    }

    fn is_stale(&self) -> bool {
        self.stale_at().is_some_and(|at| self.now >= at)
    }

    fn source(&self) -> Said {
        match &self.world.source {
            Source::Closed { reason, why } => said("Unknown", reason, why.clone()),
            Source::Reachable => said("True", "Connected", "the ensemble answers"),
            Source::Lost { .. } if !self.is_lost() && self.was_connected() => {
                said("True", "Connected", "the ensemble answers")
            }
            Source::Lost { .. } if !self.is_lost() => said("Unknown", "Connecting", "no member has answered yet"),
            Source::Lost { since, why } => {
                let since = self.lost_since().unwrap_or(*since);
                said("False", "Lost", format!("out of reach since {}: {why}", time(since).0.strftime("%FT%TZ")))
            }
        }
    }

    fn conflict(&self) -> Said {
        if !self.plan.conflicts.is_empty() {
            let objects = some(&self.plan.conflicts);
            let what = format!("somebody else's, and not touched: {objects}; choose another name, or delete them");
            return said("True", "ForeignObject", what);
        }
        if self.plan.renamed.is_empty() {
            said("False", "NoConflict", "")
        } else {
            said("False", "Renamed", format!("their names are those of others: {}", some(&self.plan.renamed)))
        }
    }

    /// What stands in the way of everything.
    fn trouble(&self) -> Option<Said> {
        if let Source::Closed { reason, why } = &self.world.source {
            return Some(said("False", reason, why.clone()));
        }
        if let Some(why) = self.refused {
            return Some(said("False", "WriteRefused", why.clone()));
        }
        if !self.plan.conflicts.is_empty() {
            return Some(said("False", "NameConflict", some(&self.plan.conflicts)));
        }
        if !self.plan.problems.is_empty() {
            return Some(said("False", NOT_PROJECTED, some(&self.plan.problems)));
        }
        if self.is_stale() {
            return Some(said("Unknown", "Stale", self.source().message));
        }
        None
    }

    /// Whether it is said that something is waited for: not of a child that has just come, but of a spec that is new.
    fn waits(&self, before: &ProjectionStatus) -> bool {
        !self.plan.waiting.is_empty() && (self.plan.late || self.is_new(before, condition::SYNCED))
    }

    /// Whether this condition has not been told yet of any answer for this generation of the spec. What stood in the
    /// way before is no answer.
    fn is_new(&self, before: &ProjectionStatus, type_: &str) -> bool {
        let generation = self.projection.metadata.generation;
        let mut told =
            before.conditions.iter().filter(|old| old.type_ == type_ && old.observed_generation == generation);
        let of_an_answer = |old: &Condition| old.status == "True" || OF_ANSWERS.contains(&old.reason.as_str());
        before.last_sync_time.is_none() || !told.any(of_an_answer)
    }

    fn synced(&self, before: &ProjectionStatus) -> Said {
        if let Some(trouble) = self.trouble() {
            return trouble;
        }
        if self.waits(before) {
            return said("False", WAITING, format!("not known yet: {}", some(&self.plan.waiting)));
        }
        if !self.plan.partial.is_empty() {
            return said("False", NOT_PROJECTED, some(&self.plan.partial));
        }
        let holds = self.plan.holds.iter().filter(|(_, hold)| hold.kind != HoldKind::SourceLost);
        let Some((reason, message)) = holds.clone().min_by_key(|(_, hold)| hold.kind).map(|(_, hold)| {
            let words = holds.map(|(name, hold)| {
                let end = hold.until.map(|until| format!(" until {}", time(until).0.strftime("%TZ")));
                format!("{} of {name}{}", hold.kept, end.unwrap_or_default())
            });
            let words: Vec<String> = words.collect();
            (reason(hold.kind), format!("endpoints that are kept though they are not registered: {}", some(&words)))
        }) else {
            return said("True", "Synced", "what is written is what is registered");
        };
        said("False", reason, message)
    }

    fn ready(&self, before: &ProjectionStatus) -> Said {
        if let Some(trouble) = self.trouble() {
            return trouble;
        }
        let unknown = !self.plan.waiting.is_empty() && self.plan.zxid.is_none();
        if unknown && self.is_new(before, condition::READY) {
            return said("False", WAITING, format!("not known yet: {}", some(&self.plan.waiting)));
        }
        if self.plan.partial.is_empty() {
            return said("True", "Projected", "what is registered is projected");
        }
        said("True", "Projected", format!("what is registered is projected but for: {}", some(&self.plan.partial)))
    }
}

fn reason(kind: HoldKind) -> &'static str {
    match kind {
        HoldKind::Empty => HELD[0],
        HoldKind::HalfEmpty => HELD[1],
        HoldKind::Few => HELD[2],
        HoldKind::SourceLost => "SourceLost",
    }
}

/// The status while what there is cannot be seen: nothing is said of it, and the counts are the last ones.
pub fn blind(projection: &ServiceProjection, why: &str, now: Moment) -> ProjectionStatus {
    let before = projection.status.clone().unwrap_or_default();
    let (generation, mut conditions) = (projection.metadata.generation, before.conditions.clone());
    for type_ in [condition::READY, condition::SYNCED] {
        let old = before.conditions.iter().find(|old| old.type_ == type_ && old.status == "Unknown");
        let new = Condition {
            type_: type_.to_owned(),
            status: "Unknown".to_owned(),
            reason: "NotSeen".to_owned(),
            message: why.to_owned(),
            observed_generation: generation,
            last_transition_time: old.map_or_else(|| time(now), |old| old.last_transition_time.clone()),
        };
        match conditions.iter_mut().find(|old| old.type_ == type_) {
            Some(old) => *old = new,
            None => conditions.push(new),
        }
    }
    ProjectionStatus { observed_generation: generation, conditions, ..before }
}

/// The status, as it is to be after a look at which nothing was left to be written, or that was refused.
pub fn status(scene: &Scene<'_>) -> ProjectionStatus {
    let before = scene.projection.status.clone().unwrap_or_default();
    let plan = scene.plan;
    let generation = scene.projection.metadata.generation;
    let words = [
        (condition::READY, scene.ready(&before)),
        (condition::SYNCED, scene.synced(&before)),
        (condition::SOURCE_REACHABLE, scene.source()),
        (condition::NAME_CONFLICT, scene.conflict()),
    ];
    let synced = words[1].1.status == "True";
    let conditions = words.map(|(type_, said)| {
        let old = before.conditions.iter().find(|old| old.type_ == type_ && old.status == said.status);
        Condition {
            type_: type_.to_owned(),
            status: said.status.to_owned(),
            reason: said.reason.to_owned(),
            message: said.message,
            observed_generation: generation,
            last_transition_time: old.map_or_else(|| time(scene.now), |old| old.last_transition_time.clone()),
        }
    });
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let after = ProjectionStatus {
        observed_generation: generation,
        services: number(plan.services),
        endpoints: number(plan.endpoints),
        ready_endpoints: number(plan.ready),
        rejected: number(plan.rejected.len()),
        rejections: plan.rejected.iter().take(SHOWN).cloned().collect(),
        // While nothing is known the last that was known stands.
        zxid: plan.zxid.or(before.zxid),
        last_sync_time: before.last_sync_time.clone(),
        conditions: conditions.into(),
    };
    let last = before.last_sync_time.as_ref().map(|last| last.0.as_millisecond());
    if (ProjectionStatus { zxid: before.zxid, ..after.clone() }) == before {
        let due = synced && last.is_none_or(|last| scene.now.0 >= last.saturating_add(ZXID_MS));
        if !due || after == before {
            return before;
        }
    }
    let news = (after.zxid, after.endpoints, after.ready_endpoints, after.services)
        != (before.zxid, before.endpoints, before.ready_endpoints, before.services);
    let sync = synced && (news || last.is_none());
    ProjectionStatus { last_sync_time: if sync { Some(time(scene.now)) } else { after.last_sync_time }, ..after }
}

/// What has changed between two statuses, as events.
pub fn events(before: &ProjectionStatus, after: &ProjectionStatus) -> Vec<Event> {
    let find = |status: &ProjectionStatus, type_: &str| -> (String, String, String) {
        let found = status.conditions.iter().find(|condition| condition.type_ == type_);
        found.map(|found| (found.status.clone(), found.reason.clone(), found.message.clone())).unwrap_or_default()
    };
    let event = |warning, reason: &str, note: String| Event { warning, reason: reason.to_owned(), note };
    let mut events = Vec::new();
    let (was, is) = (find(before, condition::SOURCE_REACHABLE), find(after, condition::SOURCE_REACHABLE));
    if is.0 == "False" && was.0 != "False" {
        events.push(event(true, "ProjectionSourceLost", format!("{}; what was written stays", is.2)));
    }
    if is.0 == "True" && was.0 == "False" {
        events.push(event(false, "ProjectionSourceBack", is.2));
    }
    let (was, is) = (find(before, condition::NAME_CONFLICT), find(after, condition::NAME_CONFLICT));
    if is.0 == "True" && (was.0 != "True" || was.2 != is.2) {
        events.push(event(true, "NameConflict", is.2));
    } else if is.1 == "Renamed" && was.2 != is.2 {
        events.push(event(true, "NameCollision", is.2));
    }
    let (was, is) = (find(before, condition::SYNCED), find(after, condition::SYNCED));
    match is.0.as_str() {
        "True" if was.0 != "True" => events.push(event(
            false,
            "ProjectionSynced",
            format!(
                "{} services, {} endpoints, {} of them ready",
                after.services, after.endpoints, after.ready_endpoints
            ),
        )),
        // What conflicts has been told already.
        "False" | "Unknown" if was.1 != is.1 && !matches!(is.1.as_str(), WAITING | "NameConflict" | "Stale") => {
            let word = if is.1.ends_with("Held") { format!("Projection{}", is.1) } else { is.1.clone() };
            events.push(event(true, &word, is.2));
        }
        _ => {}
    }
    if after.rejected > 0 && (before.rejected == 0 || before.rejections.first() != after.rejections.first()) {
        let first = after.rejections.first().map(|first| format!("{}: {}", first.znode, first.reason));
        events.push(event(true, "RegistrationRejected", first.unwrap_or_default()));
    }
    events
}
