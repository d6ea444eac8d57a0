//! Whole lives of clusters, and the bugs of other operators by name.

mod bugs;
mod carry_out;
mod laws;
mod lives;
mod real;
mod sim;
mod stuck;
mod versions;
mod view;
