//! How many bytes the answers of projections may take: those of one, and those of all.
//!
//! ```text
//!   an answer ─► less than 24 MiB with the others of its projection? ─► less than 48 MiB with those of all? ─► kept
//!                  └─ no: refused; what was written stays as it is        └─ no: refused too
//! ```
//!
//! Rule: what does not fit is not kept, and it is said which bound it is; the last quarter of the bound of all is for
//! projections that hold little. Reason: whoever may make znodes below a projected path says how much there is, and the
//! operator that is killed for its memory keeps no cluster of anybody alive.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

const MIB: usize = 1 << 20;
/// Of one projection. 10,000 instances take about 6 MiB.
const ONE: usize = 24 * MIB;
/// Of all. With what one look at them takes it fits the memory that the chart allows.
const ALL: usize = 48 * MIB;
/// A projection that holds no more than this has room where others have none.
const LITTLE: usize = MIB;
/// Of large answers so many are received at once: each takes several times its bytes until it is kept.
const AT_ONCE: usize = 2;

/// What all projections hold.
pub(super) struct Budget {
    held: AtomicUsize,
    /// For large answers that are on their way.
    pub turns: Arc<Semaphore>,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { held: AtomicUsize::new(0), turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

/// What one projection holds, by answer; given back when it goes.
pub(super) struct Account {
    budget: Arc<Budget>,
    by_answer: BTreeMap<String, usize>,
    held: usize,
}

impl Drop for Account {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.held, Ordering::Relaxed);
    }
}

impl Account {
    pub(super) fn new(budget: Arc<Budget>) -> Account {
        Account { budget, by_answer: BTreeMap::new(), held: 0 }
    }

    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// In place of the last answer of this name there is one of `bytes`.
    ///
    /// # Errors
    /// Why it may not be kept; then there is none.
    pub(super) fn put(&mut self, answer: &str, bytes: usize) -> Result<(), String> {
        self.forget(answer);
        let own = self.held + bytes;
        if own > ONE {
            return Err(format!(
                "the answers of this projection take more than {} MiB together, which is the most of one: choose a \
                 narrower path, or register less below it",
                ONE / MIB
            ));
        }
        let most = if own <= LITTLE { ALL } else { ALL - ALL / 4 };
        let taken = self.budget.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            Some(held + bytes).filter(|all| bytes == 0 || *all <= most)
        });
        if taken.is_err() {
            return Err(format!(
                "the answers of all projections take more than {} MiB together, which is the most that this operator \
                 holds: choose narrower paths for those with the most coordd_operator_projection_bytes",
                most / MIB
            ));
        }
        self.held = own;
        self.by_answer.insert(answer.to_owned(), bytes);
        Ok(())
    }

    /// There is no answer of this name any more.
    pub(super) fn forget(&mut self, answer: &str) {
        let bytes = self.by_answer.remove(answer).unwrap_or(0);
        self.held -= bytes;
        self.budget.held.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_projection_holds_no_more_than_its_bound_and_what_goes_makes_room() {
        let budget = Arc::<Budget>::default();
        let mut one = Account::new(Arc::clone(&budget));
        one.put("/a", ONE / 2).unwrap();
        one.put("/b", ONE / 2).unwrap();
        assert!(one.put("/c", 1).unwrap_err().contains("24 MiB"));
        assert!(one.put("/b", ONE / 2 + 1).is_err());
        assert_eq!(one.held(), ONE / 2, "what is refused is not kept, nor what was there before");
        one.put("/c", ONE / 2).unwrap();
        one.forget("/a");
        one.put("/a", 7).unwrap();
        assert_eq!(budget.held.load(Ordering::Relaxed), ONE / 2 + 7);
        drop(one);
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn all_together_hold_no_more_than_their_bound_and_the_small_have_room_to_the_last() {
        let budget = Arc::<Budget>::default();
        let mut all: Vec<Account> = (0..4).map(|_| Account::new(Arc::clone(&budget))).collect();
        all[0].put("", ONE).unwrap();
        all[1].put("", ALL - ALL / 4 - ONE).unwrap();
        assert!(all[2].put("", LITTLE + 1).unwrap_err().contains("projection_bytes"));
        all[2].put("", LITTLE).unwrap();
        let mut small: Vec<Account> = (0..100).map(|_| Account::new(Arc::clone(&budget))).collect();
        let kept = small.iter_mut().filter_map(|one| one.put("", LITTLE).ok()).count();
        assert_eq!(kept, 11);
        assert_eq!(all[3].put("", 0), Ok(()), "what is gone takes nothing");
        assert_eq!(budget.held.load(Ordering::Relaxed), ALL);
    }
}
