//! `coordd-e2e`: scenarios on a real Kubernetes, with clients at work inside the cluster whose histories are checked.
//!
//! ```text
//!   scenarios/*.rs ─► Scene (a namespace, figures) ─► kubectl     Ensemble (one CoordinationCluster)   Load (clients)
//!          ├────────► operator (the chart, installed with Helm; stopped, made to die)         report (the promises)
//!          │              └─ Former (the chart and the images of a build of before)
//!          ├────────► Machine (power, cables, kill -9, disks), where the cluster is that of `cargo e2e`
//!          └────────► Projection (one ServiceProjection), Apps (who registers and calls), Tree (znodes, by hand)
//! ```
//!
//! Rule: a scenario is one file that reads like what it is called. Reason: there will be many, and each must be
//! believed.

pub mod apps;
pub mod ensemble;
pub mod former;
pub mod kubectl;
pub mod load;
pub mod machine;
pub mod operator;
pub mod projection;
pub mod report;
pub mod scenarios;
pub mod scene;
pub mod slices;
pub mod tree;
