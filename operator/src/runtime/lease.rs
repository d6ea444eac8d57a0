//! Which of the replicas leads: a Lease of Kubernetes, renewed while this one does.
//!
//! ```text
//!   renewed at t ─► others may take it at t + 15 s ─► writes begin until t + 10 s, and end by t + 15 s
//! ```
//!
//! Rule: the lease is held for 10 s from the moment at which the last renewal that succeeded was *begun*, by this
//! machine's own clock; then everything stops, and the process with it. What another holds counts as lost when it has
//! not changed for 15 s of watching it. Reason: neither clocks nor the way to the API server can be trusted; the only
//! safe one is who stops before the other begins.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::time::{Instant, sleep, timeout};

use super::backoff::jitter;
use super::fail_point::{FailPoint, Side};
use super::failure::Failure;
use super::gate::{Held, WRITE_MAX};

const DURATION: Duration = Duration::from_secs(15);
const DURATION_SECONDS: i32 = 15;
/// How long a renewal counts here: a write that begins at the last moment has ended before the lease is another's.
const HELD: Duration = DURATION.saturating_sub(WRITE_MAX);
const RENEW: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(900);
const CALL_MAX: Duration = Duration::from_secs(3);

/// Asks for the lease, keeps it and gives it back.
pub(crate) struct Keeper {
    api: Api<Lease>,
    name: String,
    /// Who this replica is; the same after a restart in the same place.
    me: String,
    held: Held,
    fail: Option<FailPoint>,
    mine: Option<Lease>,
}

/// A lease of somebody else, and since when it has been what it is.
struct Watched {
    version: String,
    since: Instant,
}

#[derive(Debug, PartialEq, Eq)]
enum Move {
    Create,
    Take,
    Wait,
}

/// What to do about the lease as it is.
fn next(lease: Option<&Lease>, me: &str, watched: &mut Option<Watched>, now: Instant) -> Move {
    let Some(lease) = lease else { return Move::Create };
    let spec = lease.spec.as_ref();
    let holder = spec.and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default();
    if holder.is_empty() || holder == me {
        return Move::Take;
    }
    let version = lease.metadata.resource_version.clone().unwrap_or_default();
    let seconds = spec.and_then(|spec| spec.lease_duration_seconds).unwrap_or(DURATION_SECONDS);
    let lasts = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    match watched {
        Some(seen) if seen.version == version && now.duration_since(seen.since) >= lasts => Move::Take,
        Some(seen) if seen.version == version => Move::Wait,
        _ => {
            *watched = Some(Watched { version, since: now });
            Move::Wait
        }
    }
}

impl Keeper {
    pub(crate) fn new(client: Client, namespace: &str, name: &str, me: String, held: Held) -> Keeper {
        let api = Api::namespaced(client, namespace);
        Keeper { api, name: name.to_owned(), me, held, fail: None, mine: None }
    }

    pub(crate) fn failing(self, fail: Option<FailPoint>) -> Keeper {
        Keeper { fail, ..self }
    }

    /// Returns when the lease is held.
    pub(crate) async fn acquire(&mut self) {
        let mut watched = None;
        loop {
            match self.try_acquire(&mut watched).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(failure) if failure.is_late() => {}
                Err(failure) => tracing::warn!(%failure, "the lease cannot be asked for"),
            }
            sleep(jitter(POLL)).await;
        }
    }

    async fn try_acquire(&mut self, watched: &mut Option<Watched>) -> Result<bool, Failure> {
        let lease = self.call(self.api.get_opt(&self.name)).await?;
        let began = Instant::now();
        let held = match next(lease.as_ref(), &self.me, watched, began) {
            Move::Wait => return Ok(false),
            Move::Create => self.write(self.api.create(&PostParams::default(), &self.new_lease())).await?,
            Move::Take => self.put(self.taken(lease.unwrap_or_default())).await?,
        };
        self.held.taken(held.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or(0));
        self.mine = Some(held);
        self.held.until(Some(began + HELD));
        Ok(true)
    }

    /// Renews the lease until it cannot; returns why.
    pub(crate) async fn keep(&mut self) -> String {
        loop {
            sleep(jitter(RENEW)).await;
            let began = Instant::now();
            let Some(lease) = self.mine.clone() else { return "it was never held".to_owned() };
            match self.put(renewed(lease)).await {
                Ok(lease) => {
                    self.mine = Some(lease);
                    self.held.until(Some(began + HELD));
                }
                Err(failure) if failure.is_late() => match self.call(self.api.get_opt(&self.name)).await {
                    Ok(Some(lease)) if holder(&lease) == Some(self.me.as_str()) => self.mine = Some(lease),
                    Ok(lease) => {
                        self.held.until(None);
                        let holder = lease.as_ref().and_then(holder).unwrap_or("nobody").to_owned();
                        return format!("{holder} holds it");
                    }
                    Err(failure) => tracing::warn!(%failure, "the lease cannot be looked at"),
                },
                Err(failure) => tracing::warn!(%failure, "the lease was not renewed"),
            }
            if !self.held.is_held() {
                self.held.until(None);
                return format!("it could not be renewed for {} s", HELD.as_secs());
            }
        }
    }

    /// Gives the lease back, so that another replica need not wait. Nothing is written after this has begun.
    pub(crate) async fn release(mut self) {
        self.held.until(None);
        let Some(mut lease) = self.mine.take() else { return };
        if let Some(spec) = lease.spec.as_mut() {
            spec.holder_identity = None;
            spec.lease_duration_seconds = Some(1);
        }
        if let Err(failure) = self.put(lease).await {
            tracing::warn!(%failure, "the lease was not given back; another replica takes it in 15 s");
        }
    }

    async fn put(&self, lease: Lease) -> Result<Lease, Failure> {
        self.write(self.api.replace(&self.name, &PostParams::default(), &lease)).await
    }

    async fn write(&self, call: impl Future<Output = Result<Lease, kube::Error>>) -> Result<Lease, Failure> {
        if let Some(fail) = &self.fail {
            fail.reached("lease", Side::Before);
        }
        let done = self.call(call).await;
        if let Some(fail) = self.fail.as_ref().filter(|_| done.is_ok()) {
            fail.reached("lease", Side::After);
        }
        done
    }

    async fn call<T>(&self, call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Failure> {
        match timeout(CALL_MAX, call).await {
            Ok(done) => done.map_err(|error| Failure::kubernetes("lease", error)),
            Err(_) => Err(Failure::Late { what: "lease".to_owned(), limit: CALL_MAX }),
        }
    }

    fn new_lease(&self) -> Lease {
        let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
        self.taken(Lease { metadata, spec: None })
    }

    fn taken(&self, lease: Lease) -> Lease {
        let before = lease.spec.as_ref();
        let transitions = before.and_then(|spec| spec.lease_transitions).map_or(0, |count| count.saturating_add(1));
        let spec = LeaseSpec {
            holder_identity: Some(self.me.clone()),
            lease_duration_seconds: Some(DURATION_SECONDS),
            acquire_time: Some(MicroTime(Timestamp::now())),
            renew_time: Some(MicroTime(Timestamp::now())),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        };
        Lease { spec: Some(spec), ..lease }
    }
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

fn renewed(mut lease: Lease) -> Lease {
    if let Some(spec) = lease.spec.as_mut() {
        spec.renew_time = Some(MicroTime(Timestamp::now()));
    }
    lease
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: &str, version: &str) -> Lease {
        let metadata = ObjectMeta { resource_version: Some(version.to_owned()), ..ObjectMeta::default() };
        let spec = LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(15),
            ..LeaseSpec::default()
        };
        Lease { metadata, spec: Some(spec) }
    }

    #[test]
    fn a_lease_of_nobody_or_of_ones_former_life_is_taken_at_once() {
        let now = Instant::now();
        assert_eq!(next(None, "a", &mut None, now), Move::Create);
        assert_eq!(next(Some(&lease("", "1")), "a", &mut None, now), Move::Take);
        assert_eq!(next(Some(&lease("a", "1")), "a", &mut None, now), Move::Take);
    }

    #[test]
    fn a_lease_of_another_is_taken_only_after_it_has_not_changed_for_its_duration() {
        let (start, mut watched) = (Instant::now(), None);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(next(Some(&lease("b", "1")), "a", &mut watched, at(0)), Move::Wait);
        assert_eq!(next(Some(&lease("b", "1")), "a", &mut watched, at(14)), Move::Wait);
        assert_eq!(next(Some(&lease("b", "2")), "a", &mut watched, at(15)), Move::Wait, "renewed meanwhile");
        assert_eq!(next(Some(&lease("b", "2")), "a", &mut watched, at(29)), Move::Wait);
        assert_eq!(next(Some(&lease("b", "2")), "a", &mut watched, at(30)), Move::Take);
    }

    #[test]
    fn the_last_write_has_ended_before_another_may_begin() {
        assert!(HELD + WRITE_MAX <= DURATION);
        assert!(RENEW + CALL_MAX + CALL_MAX < HELD, "two renewals may be lost");
    }
}
