//! Opens what a member has on its disk, in the order in which it can be trusted.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coordd_wal::{Disk, Options, Wal};

use super::flush::FlushMeter;
use super::identity::DiskIdentity;
use super::log_store::LogStore;
use super::reseed;
use super::snapshot_store::{SnapshotPolicy, SnapshotStore};
use crate::consensus::Meter;

/// How the disk is to be used.
pub struct DiskConfig {
    pub wal: Options,
    pub snapshots: SnapshotPolicy,
    pub meter: Arc<dyn Meter>,
}

/// What was found on the disk.
pub struct Disks {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) data_dir: PathBuf,
    pub(crate) identity: DiskIdentity,
    pub(crate) wal: Wal,
    pub(crate) log: LogStore,
    pub(crate) snapshots: Arc<SnapshotStore>,
    pub(crate) flushes: Arc<FlushMeter>,
    /// The disk held a part of consensus when it was opened: it is no empty disk.
    pub(crate) has_log: bool,
}

impl Disks {
    /// Locks and opens the log, then begins a new life, then looks at the snapshots.
    ///
    /// # Errors
    /// What is wrong, where, and what to do; nothing was changed then but, at most, the boot number.
    pub fn open(disk: Arc<dyn Disk>, data_dir: &Path, config: DiskConfig) -> io::Result<Disks> {
        let flushes = Arc::new(FlushMeter::new(config.meter.clone()));
        let mut salt = [0; 8];
        crate::entropy::fill(&mut salt)?;
        let options = Options { salt: u64::from_be_bytes(salt), observer: Some(flushes.clone()), ..config.wal };
        let (wal, recovered) = Wal::open(disk.clone(), &data_dir.join("log"), options).map_err(io::Error::other)?;
        if recovered.torn_tail {
            tracing::info!("cut a torn tail off the log; nothing of it was acknowledged");
        }
        let mut identity = DiskIdentity::begin_life(disk.clone(), data_dir)?;
        let snapshots =
            SnapshotStore::open(disk.clone(), &data_dir.join("snapshots"), config.snapshots, config.meter.clone())?;
        reseed::carry_out(&disk, data_dir, &mut identity, &wal, &snapshots)?;
        let log = LogStore::new(wal.clone(), &recovered)?;
        let has_log = recovered.last.is_some() || recovered.vote.is_some() || snapshots.current()?.is_some();
        Ok(Disks {
            disk,
            data_dir: data_dir.to_owned(),
            identity,
            wal,
            log,
            snapshots: Arc::new(snapshots),
            flushes,
            has_log,
        })
    }
}
