//! `coordd restore`: a snapshot file becomes the data directory of a new ensemble of one.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use coordd_wal::OsDisk;

use crate::entropy;
use crate::raft::reseed;
use crate::raft::types::Node;

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// What `coordd admin snapshot` wrote
    file: PathBuf,
    /// An empty or absent directory
    #[arg(long)]
    data_dir: PathBuf,
    /// Name of the member that will be served from it
    #[arg(long)]
    name: String,
    /// Where other members will reach it
    #[arg(long, default_value = "127.0.0.1:2888", value_name = "HOST:PORT")]
    advertise_peer: String,
    /// Where clients will reach it
    #[arg(long, default_value = "127.0.0.1:2181", value_name = "HOST:PORT")]
    advertise_client: String,
    /// Where its HTTP port will be
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "HOST:PORT")]
    advertise_http: String,
}

pub(super) fn run(args: &RestoreArgs) -> Result<(), String> {
    let node = Node {
        name: args.name.clone(),
        disk_id: entropy::random_id().map_err(|error| error.to_string())?,
        peer_addr: args.advertise_peer.clone(),
        client_addr: args.advertise_client.clone(),
        http_addr: args.advertise_http.clone(),
    };
    let restored = reseed::restore(Arc::new(OsDisk), &args.file, &args.data_dir, node);
    let ensemble_id = restored.map_err(|error| error.to_string())?;
    let (dir, name) = (args.data_dir.display(), &args.name);
    println!("restored into {dir} as ensemble {ensemble_id}; start it with: coordd serve --name {name} --data-dir {dir}");
    Ok(())
}
