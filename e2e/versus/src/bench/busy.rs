//! Writers at work while something else goes on: what that adds to their slowest writes.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::scenario::Context;
use super::setup::SESSION_MS;
use super::writers::Writers;
use crate::load::Engine;
use crate::wire::Attach;

/// Three on each member; each has a znode of its own, `workload::slot_path(i, 0)`, which must be there.
pub const WRITERS: usize = 9;
const IN_FLIGHT: usize = 4;

/// They, and how long their writes took before.
pub struct Busy {
    pub engine: Engine,
    pub load: Writers,
    before_ms: f64,
}

impl Busy {
    /// Lets them write alone for a while; what comes from then on counts as "during".
    pub fn start(context: &Context<'_>) -> Result<Self> {
        let servers = context.ensemble.clients();
        let mut engine = Engine::new(Duration::from_millis(5))?;
        for i in 0..WRITERS {
            engine.add(servers[i % servers.len()], Attach::new_session(SESSION_MS));
        }
        let mut busy = Busy { engine, load: Writers::new(WRITERS, IN_FLIGHT, servers)?, before_ms: 0.0 };
        busy.engine.open_all(&mut busy.load)?;
        busy.run(Duration::from_secs(1))?;
        busy.mark();
        busy.run(Duration::from_secs(5))?;
        busy.before_ms = busy.load.p99_ms();
        busy.mark();
        Ok(busy)
    }

    /// Only what is answered from now on counts.
    pub fn mark(&mut self) {
        self.load.mark(self.engine.now());
    }

    pub fn run(&mut self, time: Duration) -> Result<()> {
        self.engine.run(&mut self.load, time).map(drop)
    }

    /// Ends the writing. The writes on their way are waited for and count: the slowest may well be among them.
    pub fn finish(mut self) -> Result<Compared> {
        self.load.stopping = true;
        let begin = self.engine.now();
        while self.engine.conns().iter().any(|conn| !conn.pending.is_empty()) {
            ensure!(self.engine.now() - begin < 30_000_000_000, "writes are left unanswered");
            self.run(Duration::from_millis(1))?;
        }
        ensure!(!self.load.latency.is_empty(), "nothing was written meanwhile");
        Ok(Compared { writes: self.load.latency.len(), before_ms: self.before_ms, during_ms: self.load.p99_ms() })
    }
}

/// The p99 of the writes before, and of those meanwhile.
pub struct Compared {
    writes: u64,
    before_ms: f64,
    during_ms: f64,
}

impl Compared {
    pub fn record(&self, context: &mut Context<'_>, name: &str) {
        context.record(&format!("{name}.writes"), self.writes as f64);
        context.record(&format!("{name}.p99-before-ms"), self.before_ms);
        context.record(&format!("{name}.p99-during-ms"), self.during_ms);
        context.record(&format!("{name}.p99-times"), self.during_ms / self.before_ms);
    }
}
