//! Where things lie: the repository, what is built, what is installed, what a run leaves behind.
//!
//! ```text
//!   <repository>/target/image/…/coordd   the server under test, as it is shipped (or below CARGO_TARGET_DIR)
//!   <repository>/target/release/coordd   the one of `demo` and `clients`
//!   <repository>/target/tools/…          what the runner installed; kept between runs
//!   <repository>/target/e2e/…            data and output of servers and clients; made anew by each run
//!   ~/.cache/coordd/…                    or COORDD_CACHE: what a machine needs once: Kubernetes, and its cluster
//! ```

use std::env;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

/// Cargo names the package at run time; the compiled-in path serves a binary that is started by hand.
pub(crate) fn repository() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let package = PathBuf::from(package);
    package.parent().map_or_else(|| package.clone(), Path::to_path_buf)
}

/// Where Cargo builds.
pub(crate) fn build() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// The server under test when it is not to be built: `COORDD_BIN`.
pub(crate) fn given_coordd() -> Option<PathBuf> {
    env::var_os("COORDD_BIN").map(PathBuf::from)
}

pub(crate) fn tools() -> PathBuf {
    repository().join("target/tools")
}

pub(crate) fn runs() -> PathBuf {
    repository().join("target/e2e")
}

/// What serves all checkouts on this machine.
pub(crate) fn cache() -> Result<PathBuf> {
    if let Some(given) = env::var_os("COORDD_CACHE") {
        return Ok(PathBuf::from(given));
    }
    let home = env::var_os("HOME").ok_or_else(|| Failure::new("neither COORDD_CACHE nor HOME is set"))?;
    Ok(PathBuf::from(home).join(".cache/coordd"))
}

/// The sources of the foreign clients.
pub(crate) fn clients() -> PathBuf {
    repository().join("e2e/clients")
}
