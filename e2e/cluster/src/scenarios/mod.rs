//! The scenarios, one file each, in the order in which they run.

mod api_server_away;
mod bad_specs;
mod chat;
mod configured;
mod created;
mod crowded;
mod disk_lost;
mod guarded;
mod kill_in_pod;
mod laid_to_rest;
mod leader_pod_deleted;
mod led;
mod neighbours;
mod node_cut_off;
mod node_drained;
mod node_lost;
mod node_without_power;
mod operator_dies;
mod operator_replaced;
mod operator_upgraded;
mod other_build;
mod projected;
mod projection_dies;
mod rolled;
mod scaled;
mod scaled_full;
mod source_away;
mod strangers;
mod volume_lost;

use anyhow::Result;

use crate::former::Former;
use crate::machine::Machine;
use crate::scene::Scene;

/// What a scenario needs.
#[derive(Debug, Clone, Copy)]
pub enum Play {
    /// Any cluster.
    Anywhere(fn(&Scene) -> Result<()>),
    /// The cluster of this machine, whose cables can be pulled.
    Here(fn(&Scene, &Machine) -> Result<()>),
    /// Any cluster, with the build of `--former REV`.
    WithFormer(fn(&Scene, &Former) -> Result<()>),
    /// Any cluster; without that build it shows less.
    BetterWithFormer(fn(&Scene, Option<&Former>) -> Result<()>),
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
    created::SCENARIO,
    scaled::SCENARIO,
    rolled::SCENARIO,
    other_build::SCENARIO,
    volume_lost::SCENARIO,
    leader_pod_deleted::SCENARIO,
    kill_in_pod::SCENARIO,
    disk_lost::SCENARIO,
    node_cut_off::SCENARIO,
    node_without_power::SCENARIO,
    node_drained::SCENARIO,
    node_lost::SCENARIO,
    api_server_away::SCENARIO,
    bad_specs::SCENARIO,
    laid_to_rest::SCENARIO,
    neighbours::SCENARIO,
    projected::SCENARIO,
    source_away::SCENARIO,
    guarded::SCENARIO,
    crowded::SCENARIO,
    configured::SCENARIO,
    led::SCENARIO,
    projection_dies::SCENARIO,
    chat::SCENARIO,
    strangers::SCENARIO,
    operator_replaced::SCENARIO,
    operator_upgraded::SCENARIO,
    operator_dies::SCENARIO,
    scaled_full::SCENARIO,
];
