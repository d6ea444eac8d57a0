//! What can be chosen on the command line of `versus bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::workload::Span;
use crate::servers::Kind;

#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Scenarios to run, by name; all when none is named
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// Measure one side only
    #[arg(long)]
    pub server: Option<Kind>,
    /// A few seconds each and small sizes: shows that it works, not how fast it is; no row is held to its floor
    #[arg(long)]
    pub short: bool,
    /// Seconds that are measured in each slice
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
    /// Slices in each round
    #[arg(long, default_value_t = 3)]
    pub slices: usize,
    /// Where the servers keep their data
    #[arg(long, default_value = "target/versus/data")]
    pub dir: PathBuf,
    #[arg(long, default_value_t = 22000)]
    pub base_port: u16,
}

impl Options {
    pub fn span(&self) -> Span {
        let seconds = if self.short { 1.0 } else { self.seconds };
        Span {
            warm_up: Duration::from_secs_f64(if self.short { 0.5 } else { 4.0 }),
            measured: Duration::from_secs_f64(seconds),
        }
    }

    pub fn slices(&self) -> usize {
        if self.short { 1 } else { self.slices.max(1) }
    }
}
