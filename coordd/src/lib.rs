//! coordd: a coordination daemon that speaks ZooKeeper's protocol over state replicated by Raft.
//!
//! ```text
//!   server (client port) ─┐
//!   watch, session        ├─► consensus (the seam) ◄── raft (openraft, log store, peers) ─► coordd-wal
//!   admin, http           ┘                                └► coordd-tree (the replicated state)
//! ```
//!
//! Start reading at `coordd/ARCHITECTURE.md`.

// It panics when nobody reads any more; `cli::output` does not.
#![deny(clippy::print_stdout)]

pub mod admin;
pub mod cli;
pub mod clock;
pub mod config;
pub mod consensus;
pub mod daemon;
pub mod demo;
mod descriptors;
mod discovery;
pub mod entropy;
pub mod http;
pub mod leader_tasks;
pub mod net;
pub mod ops;
pub mod planted;
pub mod raft;
pub mod server;
pub mod session;
pub mod telemetry;
pub mod watch;
