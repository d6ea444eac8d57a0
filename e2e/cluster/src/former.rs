//! The build of before, which `cargo e2e run --former REV` made: its chart, and its images, which every node has.
//!
//! Rule: a scenario that can do with less without it is played all the same, and the end of the run says that it was.
//! Reason: few have the time to build a release twice, and nobody shall take the lesser form for the whole.

use std::env;
use std::path::{Path, PathBuf};

/// A commit: by it the images are tagged, and its sources are in `target/former`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Former(pub String);

impl Former {
    /// What `COORDD_E2E_FORMER` names.
    pub fn given() -> Option<Self> {
        env::var("COORDD_E2E_FORMER").ok().filter(|commit| !commit.is_empty()).map(Former)
    }

    /// The image of its members.
    pub fn coordd(&self) -> String {
        format!("coordd/coordd:{}", self.0)
    }

    pub fn chart(&self) -> PathBuf {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/former").join(&self.0);
        sources.join("charts/coordd-operator")
    }
}
