//! The state digest: members compare it at one index, and the odd one stops (design D19).
//!
//! ```text
//!   digest = Σ hash(znode's facts) + Σ hash(znode's name and data) + Σ hash(session) + hash(scalars)      (mod 2^64)
//! ```
//!
//! Rule: a sum, so each change costs only the terms that it touches, and a restored snapshot can be summed anew. The hash
//! is ours and frozen: members of neighbouring releases compare, so no library may change it under them. It finds mistakes,
//! not attackers.

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
        Hash((self.0 ^ word).wrapping_mul(K1).rotate_left(29))
    }

    pub(crate) fn signed(self, word: i64) -> Hash {
        self.word(word.cast_unsigned())
    }

    pub(crate) fn bytes(self, bytes: &[u8]) -> Hash {
        let (words, tail) = bytes.as_chunks::<8>();
        let hash = words.iter().fold(self.word(bytes.len() as u64), |h, w| h.word(u64::from_le_bytes(*w)));
        let mut last = [0; 8];
        last[..tail.len()].copy_from_slice(tail);
        if tail.is_empty() { hash } else { hash.word(u64::from_le_bytes(last)) }
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
        assert_eq!(Hash::new(1).bytes(b"coordination").word(7).finish(), 4_460_778_763_340_950_199);
    }

    #[test]
    fn lengths_and_borders_count() {
        let both = |a: &[u8], b: &[u8]| Hash::new(0).bytes(a).bytes(b).finish();
        assert_ne!(both(b"ab", b"c"), both(b"a", b"bc"));
        assert_ne!(both(b"", b"\0"), both(b"\0", b""));
    }
}
