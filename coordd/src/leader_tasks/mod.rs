//! Loops that do something only while this member leads. None writes the state: each proposes, and apply decides again.

pub mod reap;
