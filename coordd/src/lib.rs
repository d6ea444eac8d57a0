//! coordd: a coordination daemon that speaks ZooKeeper's protocol over state replicated by Raft.
//!
//! ```text
//!   server (client port) ─┐
//!   watch, session        ├─► consensus (the seam) ◄── raft (openraft, log store, peers) ─► coordd-wal
//!   admin, http           ┘                                └► coordd-tree (the replicated state)
//! ```
//!
//! Start reading at `coordd/ARCHITECTURE.md`.

pub mod clock;
pub mod consensus;
pub mod entropy;
pub mod net;
pub mod raft;
