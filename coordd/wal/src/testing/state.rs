//! What the simulated disk holds: files as live and durable bytes, names as live ones and pending changes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::Loss;

const SECTOR: usize = 512;

#[derive(Default)]
struct Inode {
    live: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
}

enum NameChange {
    Set(PathBuf, u64),
    Unset(PathBuf),
}

pub(super) struct State {
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    /// In the order of a journal: a crash keeps a prefix. A rename is one step.
    pending: Vec<Vec<NameChange>>,
    pub(super) locks: BTreeSet<PathBuf>,
    pub(super) life: u64,
    pub(super) operations: u64,
    pub(super) syncs: u64,
    pub(super) die_at: Option<(u64, bool)>,
    pub(super) failing_syncs: u64,
    pub(super) failing_writes: u64,
    pub(super) capacity: u64,
    pub(super) overwrites_fail: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            inodes: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending: Vec::new(),
            locks: BTreeSet::new(),
            life: 0,
            operations: 0,
            syncs: 0,
            die_at: None,
            failing_syncs: 0,
            failing_writes: 0,
            capacity: 1 << 40,
            overwrites_fail: false,
        }
    }
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

fn failed() -> io::Error {
    io::Error::other("Input/output error")
}

impl State {
    /// Counts an operation that changes something and lets it happen, unless the disk dies at it.
    pub(super) fn changing<T>(&mut self, operation: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<T> {
        let number = self.operations;
        self.operations += 1;
        match self.die_at {
            Some((at, performed)) if number >= at => {
                if number == at && performed {
                    operation(self)?;
                }
                Err(failed())
            }
            _ => operation(self),
        }
    }

    pub(super) fn crash(&mut self, loss: Loss) -> u64 {
        let mut random = match loss {
            Loss::Torn { seed } => Some(SplitMix(seed)),
            Loss::Nothing | Loss::Everything => None,
        };
        if loss != Loss::Nothing {
            let kept = random.as_mut().map_or(0, |random| random.below(self.pending.len() as u64 + 1));
            for change in self.pending.drain(..).take(kept as usize).flatten() {
                change.apply(&mut self.durable_names);
            }
            self.names = self.durable_names.clone();
            for inode in self.inodes.values_mut() {
                let lost: Vec<usize> = std::mem::take(&mut inode.dirty).into_iter().collect();
                for sector in lost {
                    if random.as_mut().is_some_and(|random| random.below(2) == 1) {
                        inode.harden(sector);
                    }
                }
                inode.live = inode.durable.clone();
            }
            let named: BTreeSet<u64> = self.names.values().copied().collect();
            self.inodes.retain(|inode, _| named.contains(inode));
        }
        self.locks.clear();
        self.die_at = None;
        (self.failing_syncs, self.failing_writes) = (0, 0);
        self.life += 1;
        self.life
    }

    pub(super) fn inode_of(&self, path: &Path) -> io::Result<u64> {
        self.names.get(path).copied().ok_or_else(not_found)
    }

    pub(super) fn create(&mut self, path: &Path) -> u64 {
        let inode = self.inodes.last_key_value().map_or(1, |(last, _)| last + 1);
        self.inodes.insert(inode, Inode::default());
        self.change_names(vec![NameChange::Set(path.to_owned(), inode)]);
        inode
    }

    pub(super) fn list(&self, dir: &Path) -> Vec<String> {
        let names = self.names.keys().filter(|path| path.parent() == Some(dir)).filter_map(|path| path.file_name());
        names.map(|name| name.to_string_lossy().into_owned()).collect()
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let inode = self.inode_of(from)?;
        self.change_names(vec![NameChange::Unset(from.to_owned()), NameChange::Set(to.to_owned(), inode)]);
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.inode_of(path)?;
        self.change_names(vec![NameChange::Unset(path.to_owned())]);
        Ok(())
    }

    pub(super) fn sync_names(&mut self) -> io::Result<()> {
        self.pending.clear();
        self.durable_names = self.names.clone();
        Ok(())
    }

    pub(super) fn used_bytes(&self) -> u64 {
        self.names.values().filter_map(|inode| self.inodes.get(inode)).map(|inode| inode.live.len() as u64).sum()
    }

    pub(super) fn write(&mut self, inode: u64, offset: usize, bytes: &[u8]) -> io::Result<()> {
        if self.failing_writes > 0 {
            self.failing_writes -= 1;
            return Err(failed());
        }
        let free = self.capacity.saturating_sub(self.used_bytes()) as usize;
        let overwrites_fail = self.overwrites_fail;
        let file = self.inodes.get_mut(&inode).ok_or_else(not_found)?;
        let room = if overwrites_fail { bytes.len() / 2 } else { (file.live.len() + free).saturating_sub(offset) };
        let fits = bytes.len().min(room);
        let end = offset + fits;
        if file.live.len() < end {
            file.live.resize(end, 0);
        }
        file.live[offset..end].copy_from_slice(&bytes[..fits]);
        file.dirty.extend(offset / SECTOR..end.div_ceil(SECTOR));
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    pub(super) fn read(&self, inode: u64, offset: usize, buffer: &mut [u8]) -> io::Result<()> {
        let live = &self.inodes.get(&inode).ok_or_else(not_found)?.live;
        let bytes = live.get(offset..offset + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }

    pub(super) fn sync(&mut self, inode: u64) -> io::Result<()> {
        self.syncs += 1;
        let file = self.inodes.get_mut(&inode).ok_or_else(not_found)?;
        let dirty = std::mem::take(&mut file.dirty);
        if self.failing_syncs > 0 {
            self.failing_syncs -= 1;
            return Err(failed());
        }
        dirty.into_iter().for_each(|sector| file.harden(sector));
        Ok(())
    }

    pub(super) fn length(&self, inode: u64) -> io::Result<u64> {
        self.inodes.get(&inode).map(|inode| inode.live.len() as u64).ok_or_else(not_found)
    }

    pub(super) fn contents(&self, path: &Path) -> io::Result<Vec<u8>> {
        let inode = self.inode_of(path)?;
        self.inodes.get(&inode).map(|inode| inode.live.clone()).ok_or_else(not_found)
    }

    pub(super) fn edit(&mut self, path: &Path, edit: impl Fn(&mut [u8])) -> io::Result<()> {
        let inode = self.inode_of(path)?;
        let file = self.inodes.get_mut(&inode).ok_or_else(not_found)?;
        edit(&mut file.live);
        let edited = file.live.clone();
        file.durable.resize(edited.len(), 0);
        edit(&mut file.durable);
        Ok(())
    }

    pub(super) fn vanish(&mut self, path: &Path) -> io::Result<()> {
        self.remove(path)?;
        self.sync_names()
    }

    pub(super) fn vanish_all(&mut self) {
        self.pending.clear();
        self.names.clear();
        self.durable_names.clear();
    }

    fn change_names(&mut self, step: Vec<NameChange>) {
        for change in &step {
            change.apply(&mut self.names);
        }
        self.pending.push(step);
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Self::Set(path, inode) => names.insert(path.clone(), *inode),
            Self::Unset(path) => names.remove(path),
        };
    }
}

impl Inode {
    /// Makes one sector durable.
    fn harden(&mut self, sector: usize) {
        let start = sector * SECTOR;
        let end = (start + SECTOR).min(self.live.len());
        if self.durable.len() < end {
            self.durable.resize(end, 0);
        }
        self.durable[start..end].copy_from_slice(&self.live[start..end]);
    }
}

/// Small seeded randomness (Steele, Lea, Flood 2014).
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}
