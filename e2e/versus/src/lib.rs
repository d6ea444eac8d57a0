//! Ensembles of real processes, measured, compared, hurt and checked: the library behind `cargo versus`.
//!
//! ```text
//!   wire ─► load (many connections, one thread) ─► bench    the speed table against ZooKeeper
//!     └───► client (one session, blocking) ───────► differ   the same requests at both, every answer compared
//!     └───► faults ─► history ─► checker               clients work while members are hurt; were promises kept?
//!     └───► clients ─┘   the same clients on their own, beside an ensemble that somebody else hurts (Kubernetes)
//!     └───► discovery   what reading and following over HTTP costs
//!   instance, crowd: applications that register themselves, one in earnest and a thousand at once
//!   servers: ZooKeeper's or coordd's processes behind one struct
//! ```
//!
//! Rule: it reaches the servers only as a client, a signal or a proxy does. Reason: what is proved here must hold for
//! the binaries that users run.

pub mod archive;
pub mod bare;
pub mod bench;
pub mod checker;
pub mod client;
pub mod clients;
pub mod crowd;
pub mod differ;
pub mod discovery;
pub mod faults;
pub mod history;
pub mod instance;
pub mod load;
pub mod planted;
pub mod request;
pub mod servers;
pub mod told;
pub mod wire;
