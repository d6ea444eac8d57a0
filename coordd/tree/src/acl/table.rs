//! Each list once: znodes hold a number, the table holds the list and how many znodes hold it.
//!
//! Rule: numbers are given in the same order on every member (the last freed first), since a snapshot carries them.

use std::hash::BuildHasher;

use coordd_proto::Acl;
use foldhash::quality::RandomState;
use hashbrown::HashTable;

use super::AclView;
use crate::digest::Hash;

/// A list by its number. 0 is `world:anyone:cdrwa`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct AclId(pub(crate) u32);

impl AclId {
    pub(crate) const OPEN: AclId = AclId(0);
}

#[derive(Debug)]
struct Entry {
    view: AclView,
    /// Znodes that hold it; 0 means that the number is free.
    holders: u32,
    digest: u64,
}

#[derive(Debug)]
pub(crate) struct AclTable {
    entries: Vec<Entry>,
    free: Vec<u32>,
    /// Searched, never walked, so its hash may be seeded differently on each member.
    by_list: HashTable<u32>,
    hasher: RandomState,
    /// Memory that the lists take.
    list_bytes: usize,
}

impl AclTable {
    pub(crate) fn new() -> AclTable {
        let open = Entry { view: AclView::OPEN, holders: 1, digest: digest(&AclView::OPEN) };
        let (free, by_list, hasher) = (Vec::new(), HashTable::new(), RandomState::default());
        AclTable { entries: vec![open], free, by_list, hasher, list_bytes: 0 }
    }

    /// The number of `view`, which one znode more holds.
    pub(crate) fn hold(&mut self, view: &AclView) -> AclId {
        if view.is_open() {
            return AclId::OPEN;
        }
        let hash = self.hash(view);
        if let Some(&id) = self.by_list.find(hash, |&id| self.entries[id as usize].view == *view) {
            self.entries[id as usize].holders += 1;
            return AclId(id);
        }
        self.list_bytes += bytes_of(view);
        let entry = Entry { view: view.clone(), holders: 1, digest: digest(view) };
        let id = match self.free.pop() {
            Some(id) => {
                self.entries[id as usize] = entry;
                id
            }
            None => {
                self.entries.push(entry);
                (self.entries.len() - 1) as u32
            }
        };
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.by_list.insert_unique(hash, id, |&id| hasher.hash_one(entries[id as usize].view.entries()));
        AclId(id)
    }

    /// One znode less holds `id`.
    pub(crate) fn release(&mut self, id: AclId) {
        if id == AclId::OPEN {
            return;
        }
        let entry = &mut self.entries[id.0 as usize];
        entry.holders -= 1;
        if entry.holders > 0 {
            return;
        }
        let view = std::mem::replace(&mut entry.view, AclView::OPEN);
        self.list_bytes -= bytes_of(&view);
        let hash = self.hash(&view);
        if let Ok(occupied) = self.by_list.find_entry(hash, |&other| other == id.0) {
            occupied.remove();
        }
        self.free.push(id.0);
    }

    /// Whether znodes may hold `id`.
    pub(crate) fn holds(&self, id: AclId) -> bool {
        self.entries.get(id.0 as usize).is_some_and(|entry| entry.holders > 0)
    }

    /// The lists of all numbers but that of the open one, with their holders; a free number has none.
    pub(crate) fn entries_after_open(&self) -> impl ExactSizeIterator<Item = (&AclView, u32)> {
        self.entries[1..].iter().map(|entry| (&entry.view, entry.holders))
    }

    /// Numbers to give again, the next one last.
    pub(crate) fn free_numbers(&self) -> &[u32] {
        &self.free
    }

    /// Puts the next number of a snapshot in place.
    pub(crate) fn restore(&mut self, view: AclView, holders: u32) {
        let id = self.entries.len() as u32;
        if holders > 0 {
            let (hash, entries, hasher) = (self.hash(&view), &self.entries, &self.hasher);
            self.by_list.insert_unique(hash, id, |&id| hasher.hash_one(entries[id as usize].view.entries()));
        }
        self.list_bytes += bytes_of(&view);
        let digest = digest(&view);
        self.entries.push(Entry { view, holders, digest });
    }

    /// Marks a number of a snapshot as free, after those that were freed before it.
    pub(crate) fn restore_free(&mut self, id: u32) {
        self.free.push(id);
    }

    pub(crate) fn view(&self, id: AclId) -> &AclView {
        &self.entries[id.0 as usize].view
    }

    pub(crate) fn digest(&self, id: AclId) -> u64 {
        self.entries[id.0 as usize].digest
    }

    /// Memory of the table and of all lists in it.
    pub(crate) fn bytes(&self) -> usize {
        let numbers = (self.free.capacity() + self.by_list.capacity()) * size_of::<u32>();
        self.entries.capacity() * size_of::<Entry>() + numbers + self.list_bytes
    }

    fn hash(&self, view: &AclView) -> u64 {
        self.hasher.hash_one(view.entries())
    }
}

/// Memory that a list takes, shared or not.
fn bytes_of(view: &AclView) -> usize {
    let texts = |acl: &Acl| acl.id.scheme.len() + acl.id.id.len();
    view.entries().map_or(0, |list| size_of_val(list) + list.iter().map(texts).sum::<usize>())
}

fn digest(view: &AclView) -> u64 {
    let entries: &[Acl] = view.entries().unwrap_or_default();
    let start = Hash::new(3).word(u64::from(view.is_open()));
    let add = |h: Hash, acl: &Acl| {
        h.signed(i64::from(acl.perms.0)).bytes(acl.id.scheme.as_bytes()).bytes(acl.id.id.as_bytes())
    };
    entries.iter().fold(start, add).finish()
}

#[cfg(test)]
mod tests {
    use coordd_proto::{AuthId, Perms};

    use super::*;

    fn view(perms: i32) -> AclView {
        AclView::new(vec![Acl::world(Perms(perms))])
    }

    #[test]
    fn equal_lists_share_a_number_until_the_last_holder_goes() {
        let mut table = AclTable::new();
        let (a, again, b) = (table.hold(&view(1)), table.hold(&view(1)), table.hold(&view(2)));
        assert_eq!((a, again, b), (AclId(1), AclId(1), AclId(2)));
        table.release(a);
        assert_eq!(table.view(a), &view(1));
        table.release(a);
        assert_eq!(table.hold(&view(3)), a);
        assert_eq!(table.hold(&view(1)), AclId(3));
        assert_eq!(table.view(b), &view(2));
    }

    #[test]
    fn a_list_is_counted_once_and_no_more_when_nobody_holds_it() {
        let mut table = AclTable::new();
        let long = AclView::new(vec![Acl { perms: Perms(1), id: AuthId::new("digest", "x".repeat(100_000)) }]);
        let before = table.bytes();
        let (id, _) = (table.hold(&long), table.hold(&long));
        assert!((100_000..101_000).contains(&(table.bytes() - before)), "{} {before}", table.bytes());
        table.release(id);
        assert!(table.bytes() > 100_000);
        table.release(id);
        assert!(table.bytes() < 1000);
        table.restore(long, 1);
        assert!(table.bytes() > 100_000, "from a snapshot, too");
    }

    #[test]
    fn the_open_list_is_always_number_zero() {
        let mut table = AclTable::new();
        assert_eq!(table.hold(&AclView::new(vec![Acl::world(Perms::ALL)])), AclId::OPEN);
        table.release(AclId::OPEN);
        assert!(table.view(AclId::OPEN).is_open());
    }
}
