//! The operator as it is shipped, against a real API server, with members that only pretend.
//!
//! ```text
//!   etcd + kube-apiserver + controllers (StatefulSets, garbage)   once for all tests
//!     ▲ watches, writes            ▲ plays the nodes
//!   operator (the binary) ───────► kubelet (this process) ── ensemble: fake admin ports on 127.x.y.z:9080
//! ```
//!
//! Rule: what is asserted is what stands in the API server and what the members were told. Reason: the rules of a real
//! API server (defaults, CEL, server-side apply, conflicts, deletion) are what a fake one gets wrong.
//!
//! The programs of Kubernetes are those that `cargo e2e` builds once a machine; COORDD_KUBERNETES_BIN names another
//! folder of them. Where they are missing the tests say so and pass, but in CI they fail.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod asking;
mod away;
mod discovery;
mod ensemble;
mod fail_points;
mod founding;
mod kubelet;
mod leases;
mod lives;
mod machine;
mod many;
mod projecting;
mod projecting_faults;
mod resource;
mod rights;
mod rolling;
mod stage;
#[path = "../support/mod.rs"]
mod support;
mod upgrade;
mod versions;
