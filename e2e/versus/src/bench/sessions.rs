//! Sessions opened per second: many connections, a bounded number of them in the making.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::expect;
use super::scenario::Context;
use super::setup::SESSION_MS;
use crate::load::{Conn, Engine, Load, Next, Pending};
use crate::wire::{Attach, Reply, op};

const AT_ONCE: usize = 128;

#[derive(Default)]
struct Opening {
    opened: usize,
    wanted: usize,
    closing: bool,
    closed: usize,
}

impl Load for Opening {
    fn opened(&mut self, _conn: &mut Conn) -> Result<()> {
        self.opened += 1;
        Ok(())
    }

    fn reply(&mut self, _conn: &mut Conn, request: Pending, reply: &Reply<'_>) -> Result<()> {
        expect::nothing(request.op, reply)?;
        self.closed += 1;
        Ok(())
    }

    fn lost(&mut self, conn: &mut Conn) -> Result<Next> {
        ensure!(self.closing, "connection {} was lost while sessions were opened", conn.id);
        Ok(Next::Stay)
    }

    fn done(&self) -> bool {
        if self.closing { self.closed >= self.wanted } else { self.opened >= self.wanted }
    }
}

pub fn sessions(context: &mut Context<'_>) -> Result<()> {
    let count = if context.options.short { 1000 } else { 6000 };
    // The first run warms up.
    for slice in 0..=context.options.slices() {
        let rate = open_and_close(context, count)?;
        if slice > 0 {
            context.record("sessions.rate", rate);
        }
    }
    Ok(())
}

fn open_and_close(context: &Context<'_>, count: usize) -> Result<f64> {
    let servers = context.ensemble.clients();
    let mut engine = Engine::new(Duration::from_micros(200))?;
    let mut load = Opening::default();
    let begin = engine.now();
    while load.opened < count {
        ensure!(engine.now() - begin < 120_000_000_000, "{} of {count} sessions after 120 s", load.opened);
        while engine.conns().len() < count.min(load.opened + AT_ONCE) {
            let next = engine.conns().len();
            engine.add(servers[next % servers.len()], Attach::new_session(SESSION_MS));
        }
        load.wanted = (load.opened + AT_ONCE / 4).min(count);
        engine.run(&mut load, Duration::from_secs(1))?;
    }
    let seconds = (engine.now() - begin) as f64 / 1e9;
    load.closing = true;
    load.wanted = count;
    engine.start(|conn| conn.send(op::CLOSE_SESSION, 0, |_| {}));
    ensure!(engine.run(&mut load, Duration::from_secs(60))?, "{} of {count} sessions closed", load.closed);
    Ok(count as f64 / seconds)
}
