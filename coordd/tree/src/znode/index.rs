//! Finds a child by its parent and name.
//!
//! ```text
//!   hash(parent, name) = 32 bits ──► low 8: which of 256 tables │ all, spread to 64: the place in it ──► {slot, hash}
//! ```
//!
//! Rule: the tables are searched and never walked, so the hash is seeded differently in every process (hostile names
//! cannot aim at one bucket) while the state stays the same everywhere. A bucket keeps its hash: growing a table reads
//! no znode. 256 tables, so that growth is many short steps and never one long one in the middle of apply.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;
use hashbrown::HashTable;

use super::NodeId;

const TABLES: usize = 256;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    id: NodeId,
    hash: u32,
}

#[derive(Debug)]
pub(crate) struct Index {
    tables: Box<[HashTable<Bucket>]>,
    /// Bytes of all tables; summed up anew they would be asked for once a batch, all 256.
    bytes: usize,
    hasher: RandomState,
}

/// Where a table keeps a hash: its upper bits tell buckets apart, its lower ones choose among them.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32)
}

impl Index {
    pub(crate) fn new() -> Index {
        Index { tables: (0..TABLES).map(|_| HashTable::new()).collect(), bytes: 0, hasher: RandomState::default() }
    }

    pub(crate) fn hash(&self, parent: NodeId, name: &[u8]) -> u32 {
        (self.hasher.hash_one((parent.0, name)) >> 32) as u32
    }

    pub(crate) fn find(&self, hash: u32, is_it: impl Fn(NodeId) -> bool) -> Option<NodeId> {
        let table = &self.tables[hash as usize % TABLES];
        table.find(spread(hash), |bucket| bucket.hash == hash && is_it(bucket.id)).map(|bucket| bucket.id)
    }

    pub(crate) fn insert(&mut self, hash: u32, id: NodeId) {
        let table = &mut self.tables[hash as usize % TABLES];
        let before = table.allocation_size();
        table.insert_unique(spread(hash), Bucket { id, hash }, |bucket| spread(bucket.hash));
        self.bytes += table.allocation_size() - before;
    }

    pub(crate) fn remove(&mut self, hash: u32, id: NodeId) {
        let table = &mut self.tables[hash as usize % TABLES];
        if let Ok(found) = table.find_entry(spread(hash), |bucket| bucket.id == id) {
            found.remove();
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_bytes_are_those_of_its_tables_also_after_growth_and_removal() {
        let mut index = Index::new();
        let allocated = |index: &Index| index.tables.iter().map(HashTable::allocation_size).sum::<usize>();
        for id in 0..100_000 {
            let hash = index.hash(NodeId(0), &u32::to_be_bytes(id));
            index.insert(hash, NodeId(id));
            if id % 3 == 0 {
                index.remove(hash, NodeId(id));
            }
        }
        assert!(index.bytes() > 100_000 * 2 / 3 * size_of::<Bucket>());
        assert_eq!(index.bytes(), allocated(&index));
    }
}
