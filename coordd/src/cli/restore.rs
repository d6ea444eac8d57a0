//! `coordd restore`: a snapshot file becomes the data directory of a new ensemble of one; more members are added to
//! it later.
//!
//! Rule: it takes the settings of `serve`, and needs but a directory. Reason: the addresses that the new membership
//! names are those under which the member will be served.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use coordd_wal::OsDisk;

use super::{Failed, output};
use crate::config::ConfigError;
use crate::config::args::Flags;
use crate::entropy;
use crate::raft::reseed;
use crate::raft::types::Node;

/// Name of the member when nobody gives one.
const NAME: &str = "m1";

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// What `coordd admin snapshot` wrote
    file: PathBuf,
    #[command(flatten)]
    flags: Flags,
}

pub(super) fn run(args: &RestoreArgs) -> Result<(), Failed> {
    let loaded = match args.flags.load() {
        Err(ConfigError::Missing { key: "name" }) => args.flags.clone().or("name", NAME).load(),
        loaded => loaded,
    };
    let config = loaded.map_err(|error| error.to_string())?;
    let node = Node {
        name: config.name.clone(),
        disk_id: entropy::random_id().map_err(|error| error.to_string())?,
        peer_addr: config.advertise.peer,
        client_addr: config.advertise.client,
        http_addr: config.advertise.http,
        in_place_of: None,
    };
    let restored = reseed::restore(Arc::new(OsDisk), &args.file, &config.data_dir, node);
    let ensemble_id = restored.map_err(|error| format!("cannot restore {}: {error}", args.file.display()))?;
    let (dir, name) = (config.data_dir.display(), config.name);
    output::line(&format!("{dir} is member {name} of the new ensemble {ensemble_id}"))?;
    let flags = args.flags.clone().or("name", &name).or("data_dir", &dir.to_string());
    Ok(output::line(&format!("start it: coordd serve {flags}"))?)
}
