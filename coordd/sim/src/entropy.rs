//! Where every random bit of a simulation comes from: the seed.
//!
//! ```text
//!   coordd::entropy, the election timer, `select!`, keys of hash maps ─► getrandom(2) ─► mad-turmoil ─► StdRng(seed)
//!   std's clocks, wherever a library reads one                      ─► clock_gettime ─► mad-turmoil ─► simulated time
//! ```
//!
//! Rule: seeded before anything else happens in the process. Reason: the first hash map fixes the keys of its thread.

use std::io::{self, Read};

use mad_turmoil::time::SimClocksGuard;
use rand::SeedableRng;
use rand::rngs::StdRng;

/// Takes the place of the machine's randomness and clocks for as long as the guard lives.
pub(crate) fn seed(seed: u64) -> SimClocksGuard {
    mad_turmoil::rand::set_rng(StdRng::seed_from_u64(seed));
    SimClocksGuard::init()
}

/// Bits that no seed decides.
pub(crate) fn unseeded() -> io::Result<u64> {
    let mut bytes = [0; 8];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u64::from_be_bytes(bytes))
}

/// Small seeded choices of the plan and the clients (Steele, Lea, Flood 2014), apart from the members' own randomness.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Different throws for each `purpose` of one seed.
    pub(crate) fn new(seed: u64, purpose: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ purpose.wrapping_mul(0xd134_2543_de82_ef95))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to and without `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1);
            items.swap(last, usize::try_from(other).unwrap_or(0));
        }
    }
}
