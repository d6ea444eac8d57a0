//! Keeps coordd ensembles alive on Kubernetes from one `CoordinationCluster` manifest.
//!
//! ```text
//!   observe (Kubernetes + every member) ─► World ─► plan (pure) ─► build (pure) ─► apply ─► the one step ─► status
//! ```
//!
//! Rule: `crd`, `world`, `plan`, `build` and `status` are pure and know no client; `runtime` decides nothing. Reason:
//! whatever decides can then be tried on a million worlds without a cluster. The whole picture: `ARCHITECTURE.md`.

pub mod build;
pub mod cli;
pub mod crd;
pub mod install;
pub mod names;
pub mod plan;
pub mod projection;
pub mod runtime;
pub mod status;
pub mod step;
pub mod world;
