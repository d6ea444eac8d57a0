//! Access control lists as znodes hold them, and who passes them.
//!
//! ```text
//!   request's list ── rules::fix ──► list ── table::intern ──► AclId on the znode        view::permits ◄── AuthRef…
//! ```
//!
//! Rule: a znode's list is checked when it is set (`rules`) and only compared afterwards (`view`).

pub(crate) mod ip;
pub(crate) mod rules;
pub(crate) mod table;
pub(crate) mod view;

pub use view::AclView;
