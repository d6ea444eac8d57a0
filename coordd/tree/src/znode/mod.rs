//! The znodes: an arena of small records, one index over all of them, and the links between parents and children.
//!
//! ```text
//!   slots   [ root │ zookeeper │ config │ quota │ a │ … ]     u32 ids, chunks of 4096, 96 bytes each
//!   links   parent ── first child ⇄ next ⇄ next               in order of creation, without a list for each parent
//!   index   (parent, name) ──► slot                           256 small tables, so that none ever grows long
//!   blob    name + data in one allocation                     a set of equal length allocates nothing
//! ```
//!
//! Rule: every change goes through `Znodes`, which first lets a running snapshot save the slot as it was and keeps the
//! digest. Slots are given in the same order on every member (the last freed first), because the digest and the
//! snapshot name them. Reason for all of it: memory per znode decides how much one ensemble can hold.

pub(crate) mod arena;
pub(crate) mod index;
pub(crate) mod node;
pub(crate) mod owner;
pub(crate) mod znodes;

pub(crate) use node::{Node, NodeId};
pub(crate) use owner::Owner;
pub(crate) use znodes::Znodes;
