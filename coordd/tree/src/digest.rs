//! The state digest: members compare it at one index, and the odd one stops (design D19).
//!
//! ```text
//!   digest = Σ hash(znode's facts) + Σ hash(znode's name and data) + Σ hash(session) + hash(scalars)      (mod 2^64)
//! ```
//!
//! Rule: a sum, so each change costs only the terms that it touches, and a restored snapshot can be summed anew. The
//! hash is ours and frozen: members of neighbouring releases compare, so no library may change it under them. It finds
//! mistakes, not attackers.

const K1: u64 = 0x9e37_79b9_7f4a_7c15;
const K2: u64 = 0xd6e8_feb8_6659_fd93;

/// Hashes words and byte strings one after another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hash(u64);

impl Hash {
    /// `kind` keeps terms of different kinds apart.
    pub(crate) fn new(kind: u64) -> Hash {
        Hash(kind.wrapping_mul(K1) ^ K2)
    }

    pub(crate) fn word(self, word: u64) -> Hash {
        self.pair(word, 0)
    }

    pub(crate) fn signed(self, word: i64) -> Hash {
        self.word(word.cast_unsigned())
    }

    /// Two words by one multiplication, both halves of which are kept. Each factor also stands beside the product, so
    /// that it counts even where the other one is 0.
    pub(crate) fn pair(self, a: u64, b: u64) -> Hash {
        let a = self.0 ^ a;
        let product = u128::from(a) * u128::from(b ^ K2);
        Hash((product as u64 ^ (product >> 64) as u64 ^ a.rotate_left(23)).wrapping_add(b))
    }

    pub(crate) fn bytes(self, bytes: &[u8]) -> Hash {
        let (pairs, tail) = bytes.as_chunks::<16>();
        let add = |hash: Hash, pair: &[u8; 16]| {
            let both = u128::from_le_bytes(*pair);
            hash.pair(both as u64, (both >> 64) as u64)
        };
        let hash = pairs.iter().fold(self.word(bytes.len() as u64), add);
        let mut last = [0; 16];
        last[..tail.len()].copy_from_slice(tail);
        if tail.is_empty() { hash } else { add(hash, &last) }
    }

    pub(crate) fn finish(self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(K2);
        mixed ^ (mixed >> 29)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_frozen() {
        assert_eq!(Hash::new(1).finish(), 3_767_878_090_611_205_056);
        assert_eq!(Hash::new(1).bytes(b"coordination").word(7).finish(), 7_196_631_127_616_047_806);
    }

    #[test]
    fn lengths_and_borders_count() {
        let both = |a: &[u8], b: &[u8]| Hash::new(0).bytes(a).bytes(b).finish();
        assert_ne!(both(b"ab", b"c"), both(b"a", b"bc"));
        assert_ne!(both(b"", b"\0"), both(b"\0", b""));
    }

    #[test]
    fn every_bit_counts() {
        let input = [0u8; 45];
        let mut seen = vec![Hash::new(0).bytes(&input).finish()];
        for bit in 0..input.len() * 8 {
            let mut other = input;
            other[bit / 8] ^= 1 << (bit % 8);
            seen.push(Hash::new(0).bytes(&other).finish());
        }
        for bit in 0..64 {
            seen.push(Hash::new(0).pair(1 << bit, K2).finish());
            seen.push(Hash::new(0).pair(0, 1 << bit).finish());
        }
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all);
    }
}
