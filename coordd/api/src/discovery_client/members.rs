//! Whom to ask next, and when.
//!
//! Rule: a member is asked until it fails, then the next one is; waits grow to a second and no further, and are
//! scattered over their whole length. Reason: when a member dies all that followed it come at once to the others.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);

/// The members' addresses, of which one is the present choice. The addresses are shared by all clones.
#[derive(Debug, Clone)]
pub(super) struct Members {
    addresses: Arc<RwLock<Arc<[String]>>>,
    choice: Arc<AtomicUsize>,
}

impl Members {
    pub(super) fn new(addresses: impl IntoIterator<Item = impl Into<String>>) -> Members {
        let addresses: Arc<[String]> = addresses.into_iter().map(Into::into).collect();
        let addresses = Arc::new(RwLock::new(addresses));
        Members { addresses, choice: Arc::new(AtomicUsize::new(0)) }.scattered()
    }

    /// The same members with a choice of its own, made by chance.
    pub(super) fn scattered(&self) -> Members {
        let addresses = Arc::clone(&self.addresses);
        let choice = usize::try_from(random() % self.count().max(1) as u64).unwrap_or(0);
        Members { addresses, choice: Arc::new(AtomicUsize::new(choice)) }
    }

    fn all(&self) -> Arc<[String]> {
        Arc::clone(&self.addresses.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The members are elsewhere from now on.
    pub(super) fn replace(&self, addresses: Arc<[String]>) {
        *self.addresses.write().unwrap_or_else(PoisonError::into_inner) = addresses;
    }

    pub(super) fn count(&self) -> usize {
        self.all().len()
    }

    /// The present choice; "" where no member was named.
    pub(super) fn chosen(&self) -> String {
        let addresses = self.all();
        let at = self.choice.load(Ordering::Relaxed) % addresses.len().max(1);
        addresses.get(at).cloned().unwrap_or_default()
    }

    /// `address` failed: the one after it is chosen, unless someone else has done so.
    pub(super) fn pass(&self, address: &str) {
        if self.chosen() == address {
            self.choice.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The wait after so many failures in a row.
pub(super) fn backoff(failures: u32) -> Duration {
    let longest = FIRST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(8))).min(LONGEST);
    longest.mul_f64((random() >> 11) as f64 / (1_u64 << 53) as f64)
}

/// The standard library seeds each of these anew.
fn random() -> u64 {
    RandomState::new().hash_one(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_has_its_turn_and_a_failure_that_is_known_already_changes_nothing() {
        let members = Members::new(["a", "b", "c"]);
        let mut seen = Vec::new();
        for _ in 0..3 {
            let chosen = members.chosen();
            members.pass(&chosen);
            let next = members.chosen();
            members.pass(&chosen);
            assert_eq!(members.chosen(), next);
            seen.push(chosen);
        }
        seen.sort();
        assert_eq!(seen, ["a", "b", "c"]);
    }

    #[test]
    fn members_that_have_moved_are_asked_where_they_are() {
        let members = Members::new(["a"]);
        let follower = members.scattered();
        members.replace(["b".to_owned()].into());
        assert_eq!(follower.chosen(), "b");
        members.replace([].into());
        assert_eq!(follower.chosen(), "");
    }

    #[test]
    fn followers_are_scattered_over_the_members() {
        let members = Members::new(["a", "b", "c"]);
        let mut chosen: Vec<String> = (0..200).map(|_| members.scattered().chosen()).collect();
        chosen.sort();
        chosen.dedup();
        assert_eq!(chosen, ["a", "b", "c"]);
    }

    #[test]
    fn waits_grow_to_a_second_and_are_scattered() {
        for failures in [0, 1, 2, 10, u32::MAX] {
            let waits: Vec<Duration> = (0..100).map(|_| backoff(failures)).collect();
            assert!(waits.iter().all(|&wait| wait <= LONGEST));
            assert!(waits.iter().any(|wait| wait != &waits[0]));
        }
        let longest = |failures| (0..200).map(|_| backoff(failures)).max().unwrap();
        assert!(longest(1) <= FIRST);
        assert!(longest(9) > LONGEST / 2);
    }
}
