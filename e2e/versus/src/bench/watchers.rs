//! 999 connections watch one znode: how long until all of them are told of a change.
//!
//! ```text
//!   orders ─► hand 1: 500 watchers and the writer ─┐
//!         └─► hand 2: 499 watchers                 ┴─► when the last of its own was told
//! ```
//!
//! Rule: the watchers are shared by as many threads as there are cores here. Reason: one alone goes on reading, beside
//! a core that has nothing to do, when the servers have long told everybody.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use coordd_proto::Stat;
use coordd_proto::jute::Reader;

use super::scenario::Context;
use super::setup::{SESSION_MS, make};
use crate::load::{Conn, Engine, Load, Pending};
use crate::wire::{Attach, Event, Reply, op};

const WATCHERS: usize = 999;
const HANDS: usize = 2;
const PATH: &str = "/bench/watched";

/// What all hands do, each with its own connections, before the next is ordered.
#[derive(Clone, Copy)]
enum Order {
    /// Every watcher reads this version and watches.
    Arm(i32),
    /// The writer sets; everybody is told.
    Tell(i32),
    /// Nothing comes for a while.
    Rest,
}

/// When the first hand wrote, and when the last watcher of a hand was told.
#[derive(Clone, Copy, Default)]
struct Times {
    set: Option<Instant>,
    told: Option<Instant>,
}

/// One thread's share of the connections.
struct Hand {
    engine: Engine,
    watchers: usize,
    writes: bool,
}

/// What a hand has seen of one order.
struct Seen {
    watchers: usize,
    version: i32,
    armed: usize,
    told: usize,
    told_at: Option<Instant>,
    answers_due: usize,
}

impl Seen {
    fn nothing(watchers: usize, version: i32) -> Seen {
        Seen { watchers, version, armed: 0, told: 0, told_at: None, answers_due: 0 }
    }
}

impl Load for Seen {
    fn opened(&mut self, _conn: &mut Conn) -> Result<()> {
        Ok(())
    }

    fn reply(&mut self, _conn: &mut Conn, request: Pending, reply: &Reply<'_>) -> Result<()> {
        ensure!(reply.err == 0, "op {} was answered with {}", request.op, reply.err);
        let mut body = Reader::new(reply.body);
        if request.op == op::GET_DATA {
            body.buffer()?;
            // A watcher on a member that is behind is told of this change, not the next: wait until all are level.
            ensure!(Stat::decode(&mut body)?.version == self.version, "a member is behind");
            self.armed += 1;
        }
        self.answers_due -= 1;
        Ok(())
    }

    fn event(&mut self, _conn: &mut Conn, event: Event) -> Result<()> {
        ensure!(event.kind == Event::DATA_CHANGED && event.path == PATH, "{event:?}");
        self.told += 1;
        if self.told == self.watchers {
            self.told_at = Some(Instant::now());
        }
        Ok(())
    }

    fn done(&self) -> bool {
        self.answers_due == 0 && (self.armed == self.watchers || self.told == self.watchers)
    }
}

impl Hand {
    fn obey(&mut self, order: Order) -> Result<Times> {
        match order {
            Order::Arm(version) => self.arm(version),
            Order::Tell(version) => self.tell(version),
            Order::Rest => self.engine.run(&mut Idle, Duration::from_millis(10)).map(|_| Times::default()),
        }
    }

    fn arm(&mut self, version: i32) -> Result<Times> {
        let mut seen = Seen { answers_due: self.watchers, ..Seen::nothing(self.watchers, version) };
        let watchers = self.watchers;
        self.engine.start(|conn| {
            if conn.id < watchers {
                conn.send(op::GET_DATA, 0, |w| {
                    w.string(PATH);
                    w.bool(true);
                });
            }
        });
        ensure!(self.engine.run(&mut seen, Duration::from_secs(10))?, "the watches are not set");
        Ok(Times::default())
    }

    fn tell(&mut self, version: i32) -> Result<Times> {
        let mut seen = Seen { answers_due: usize::from(self.writes), ..Seen::nothing(self.watchers, version) };
        let set = self.writes.then(Instant::now);
        let writer = self.watchers;
        self.engine.start(|conn| {
            if conn.id == writer {
                conn.send(op::SET_DATA, 0, |w| {
                    w.string(PATH);
                    w.buffer(Some(&version.to_be_bytes()));
                    w.i32(-1);
                });
            }
        });
        let done = self.engine.run(&mut seen, Duration::from_secs(10))?;
        ensure!(done, "{} of {} were told", seen.told, self.watchers);
        Ok(Times { set, told: seen.told_at })
    }

    /// Obeys until nobody orders any more.
    fn work(mut self, orders: &Receiver<Order>, results: &Sender<Result<Times>>) {
        while let Ok(order) = orders.recv() {
            if results.send(self.obey(order)).is_err() {
                return;
            }
        }
    }
}

/// The connections of each hand, open; those of one hand are spread evenly over the servers.
fn hands(context: &Context<'_>) -> Result<Vec<Hand>> {
    let servers = context.ensemble.clients();
    let mut hands = Vec::new();
    for number in 0..HANDS {
        let mut engine = Engine::new(Duration::from_millis(2))?;
        let (watchers, writes) = ((WATCHERS - number).div_ceil(HANDS), number == 0);
        for i in 0..watchers + usize::from(writes) {
            engine.add(servers[(i * HANDS + number) % servers.len()], Attach::new_session(SESSION_MS));
        }
        engine.open_all(&mut Seen::nothing(watchers, 0))?;
        hands.push(Hand { engine, watchers, writes });
    }
    Ok(hands)
}

/// What the hands answered to one order.
fn order(all: &[(Sender<Order>, Receiver<Result<Times>>)], order: Order) -> Result<Vec<Times>> {
    for (orders, _) in all {
        orders.send(order).map_err(|_| anyhow!("a thread of the generator ended"))?;
    }
    all.iter().map(|(_, results)| results.recv().context("a thread of the generator ended")?).collect()
}

pub fn watch_999(context: &mut Context<'_>) -> Result<()> {
    make(context, [PATH.to_owned()])?;
    let hands = hands(context)?;
    let rounds = if context.options.short { 5 } else { 40 };
    let mut times = thread::scope(|scope| -> Result<Vec<f64>> {
        let mut all = Vec::new();
        for hand in hands {
            let ((orders, ordered), (tell, results)) = (channel(), channel());
            scope.spawn(move || hand.work(&ordered, &tell));
            all.push((orders, results));
        }
        let mut times = Vec::new();
        for version in 0..rounds {
            order(&all, Order::Arm(version))?;
            let seen = order(&all, Order::Tell(version))?;
            order(&all, Order::Rest)?;
            let set = seen.iter().find_map(|times| times.set).context("nobody wrote")?;
            let told = seen.iter().filter_map(|times| times.told).max().context("nobody was told")?;
            // The first rounds warm up.
            if version >= rounds / 4 {
                times.push((told - set).as_secs_f64() * 1e3);
            }
        }
        Ok(times)
    })?;
    times.sort_by(f64::total_cmp);
    context.record("watch-999.p50-ms", times[times.len() / 2]);
    Ok(())
}

/// Expects nothing.
struct Idle;

impl Load for Idle {
    fn opened(&mut self, _conn: &mut Conn) -> Result<()> {
        Ok(())
    }

    fn reply(&mut self, conn: &mut Conn, request: Pending, _reply: &Reply<'_>) -> Result<()> {
        anyhow::bail!("a late reply to op {} on connection {}", request.op, conn.id)
    }
}
