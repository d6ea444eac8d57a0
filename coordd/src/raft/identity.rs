//! Who lives on this disk (design D9): one small file, written whole or not at all.
//!
//! ```text
//!   data_dir/identity   { disk_id (from the first start), boot (one more a start), ensemble_id + node_id once formed }
//! ```
//!
//! Rule: the boot number is on the disk before anything is proposed in that life. Reason: (member, boot, seq) names a
//! write for all time (design D7); a boot number that is used twice would let an old write pass for a new one.

use std::io;
use std::path::Path;
use std::sync::Arc;

use coordd_wal::Disk;
use coordd_wal::marker::AtomicFile;
use serde::{Deserialize, Serialize};

use super::peer::Identity;
use crate::entropy;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    disk_id: String,
    boot: u32,
    ensemble_id: Option<String>,
    node_id: Option<u64>,
    /// The ensemble that was given up for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recovered_from: Option<String>,
}

/// The identity file of an open data directory.
#[derive(Clone)]
pub struct DiskIdentity {
    written: Written,
    file: AtomicFile,
}

impl DiskIdentity {
    /// Reads the identity, or makes one for an empty disk, and begins a new life: the boot number is raised and
    /// flushed.
    ///
    /// # Errors
    /// What the disk says; a damaged file is named, since guessing an identity could cost data.
    pub fn begin_life(disk: Arc<dyn Disk>, data_dir: &Path) -> io::Result<DiskIdentity> {
        let file = AtomicFile::new(disk, data_dir, "identity");
        let written = match file.read().map_err(io::Error::other)? {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other)?,
            None => {
                let disk_id = entropy::random_id()?;
                Written { disk_id, boot: 0, ensemble_id: None, node_id: None, recovered_from: None }
            }
        };
        let mut identity = DiskIdentity { written, file };
        identity.written.boot += 1;
        identity.write()?;
        Ok(identity)
    }

    /// Whether a member of an ensemble has begun a life with this directory.
    ///
    /// # Errors
    /// What the disk says, or that the file is damaged.
    pub(crate) fn has_lived(disk: Arc<dyn Disk>, data_dir: &Path) -> io::Result<bool> {
        let Some(bytes) = AtomicFile::new(disk, data_dir, "identity").read().map_err(io::Error::other)? else {
            return Ok(false);
        };
        let written: Written = serde_json::from_slice(&bytes).map_err(io::Error::other)?;
        Ok(written.boot > 0 && written.node_id.is_some())
    }

    /// Gives an empty directory to a member, before its first life (`coordd restore`).
    ///
    /// # Errors
    /// What the disk says.
    pub fn seed(disk: Arc<dyn Disk>, data_dir: &Path, member: &Identity) -> io::Result<()> {
        let written = Written {
            disk_id: member.disk_id.clone(),
            boot: 0,
            ensemble_id: Some(member.ensemble_id.clone()),
            node_id: Some(member.node_id),
            recovered_from: None,
        };
        DiskIdentity { written, file: AtomicFile::new(disk, data_dir, "identity") }.write()
    }

    fn write(&self) -> io::Result<()> {
        self.file.write(&serde_json::to_vec(&self.written)?).map_err(io::Error::other)
    }

    pub fn disk_id(&self) -> &str {
        &self.written.disk_id
    }

    pub fn boot(&self) -> u32 {
        self.written.boot
    }

    /// `None` until this disk belongs to a member of an ensemble.
    pub fn member(&self) -> Option<Identity> {
        let Written { disk_id, ensemble_id, node_id, .. } = &self.written;
        Some(Identity { ensemble_id: ensemble_id.clone()?, node_id: (*node_id)?, disk_id: disk_id.clone() })
    }

    /// The id of the ensemble that was given up for the present one, if one was.
    pub(crate) fn recovered_from(&self) -> Option<&str> {
        self.written.recovered_from.as_deref()
    }

    /// Becomes a member of another ensemble, and knows from which one it came. May be repeated.
    ///
    /// # Errors
    /// As `become_member`.
    pub(crate) fn recover_as(&mut self, member: &Identity) -> io::Result<()> {
        let before = self.written.clone();
        if self.written.ensemble_id.as_ref() != Some(&member.ensemble_id) {
            self.written.recovered_from = self.written.ensemble_id.take();
        }
        self.become_member(member).inspect_err(|_| self.written = before)
    }

    /// # Errors
    /// What the disk says; the identity is unchanged then.
    pub(crate) fn become_member(&mut self, member: &Identity) -> io::Result<()> {
        let before = self.written.clone();
        self.written.ensemble_id = Some(member.ensemble_id.clone());
        self.written.node_id = Some(member.node_id);
        self.write().inspect_err(|_| self.written = before)
    }
}

#[cfg(test)]
mod tests {
    use coordd_wal::OsDisk;

    use super::*;

    #[test]
    fn a_disk_that_recovered_knows_from_which_ensemble_however_often_that_is_tried() {
        let dir = tempfile::tempdir().unwrap();
        let begin = || DiskIdentity::begin_life(Arc::new(OsDisk), dir.path()).unwrap();
        let member = |ensemble_id: &str| Identity { ensemble_id: ensemble_id.into(), node_id: 1, disk_id: "d".into() };
        begin().become_member(&member("old")).unwrap();
        assert_eq!(begin().recovered_from(), None);
        for _ in 0..2 {
            begin().recover_as(&member("new")).unwrap();
            assert_eq!(begin().recovered_from(), Some("old"));
        }
        assert_eq!(begin().member().unwrap().ensemble_id, "new");
    }
}
