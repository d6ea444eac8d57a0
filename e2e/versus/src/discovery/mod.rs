//! `versus discovery`: what reading and following over HTTP costs and how soon it tells (issue 5, §3).
//!
//! ```text
//!   latency    create, or a session's close ─► acknowledged ─ how long ─► last byte at a follower   1,000 times each
//!   followers  10,000 streams of one service at one member: a change ─ how long ─► all told; bytes a follower
//!   reads      a service of 10 instances over 64 connections, server on one core, against a bare axum handler
//! ```
//!
//! Rule: three members (one for reads), real sessions write, every byte that comes is looked at. Reason: a bound is
//! kept by what users run, not by a part of it. A row whose bound is not kept ends with an error, but for `--short`.

mod bare_http;
mod followers;
mod latency;
mod reads;
mod service;
mod stream;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};

pub use bare_http::{BareOptions, serve as serve_bare};

use crate::servers::{Ensemble, Kind, Plan};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Row {
    Latency,
    Followers,
    Reads,
}

#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Rows to measure; all when none is named
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<Row>,
    /// Small sizes: shows that it works, not how fast it is
    #[arg(long)]
    pub short: bool,
    /// How many follow
    #[arg(long, default_value_t = 10_000)]
    pub followers: usize,
    /// Where the members keep their data
    #[arg(long, default_value = "target/versus/data")]
    pub dir: PathBuf,
    #[arg(long, default_value_t = 23000)]
    pub base_port: u16,
}

impl Options {
    fn start(&self, members: usize) -> Result<Ensemble> {
        Ensemble::start(Plan::new(Kind::Coordd, members, &self.dir, self.base_port))
    }

    /// Small sizes on a busy machine say nothing of a promise.
    fn promised(&self, what: &str, kept: bool) -> Result<()> {
        ensure!(kept || self.short, "the bound of `{what}` is not kept");
        Ok(())
    }
}

pub fn run(options: &Options) -> Result<()> {
    let wanted = |row: Row| options.only.is_empty() || options.only.contains(&row);
    if wanted(Row::Latency) {
        latency::run(options)?;
    }
    if wanted(Row::Followers) {
        followers::run(options)?;
    }
    if wanted(Row::Reads) {
        reads::run(options)?;
    }
    Ok(())
}
