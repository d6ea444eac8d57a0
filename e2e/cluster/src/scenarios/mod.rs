//! The scenarios, one file each, in the order in which they run.

mod api_server_away;
mod disk_lost;
mod kill_in_pod;
mod leader_pod_deleted;
mod node_cut_off;
mod node_without_power;

use anyhow::Result;

use crate::machine::Machine;
use crate::scene::Scene;

/// What a scenario needs.
#[derive(Debug, Clone, Copy)]
pub enum Play {
    /// Any cluster.
    Anywhere(fn(&Scene) -> Result<()>),
    /// The cluster of this machine, whose cables can be pulled.
    Here(fn(&Scene, &Machine) -> Result<()>),
}

/// One scenario.
#[derive(Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub about: &'static str,
    /// Part of `cargo verify`.
    pub short: bool,
    pub play: Play,
}

pub const ALL: &[Scenario] = &[
    leader_pod_deleted::SCENARIO,
    kill_in_pod::SCENARIO,
    disk_lost::SCENARIO,
    node_cut_off::SCENARIO,
    node_without_power::SCENARIO,
    api_server_away::SCENARIO,
];
