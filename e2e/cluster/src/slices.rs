//! When each endpoint came into an EndpointSlice of a Service, and when it went, as a watch tells it.
//!
//! ```text
//!   kubectl get endpointslices --watch ─ a line for each change of a slice ─► thread ─► address: come at, gone at
//! ```
//!
//! Rule: the time is that at which the line arrived, on this machine's clock. Reason: objects bear whole seconds, and
//! the way through kubectl only makes it later.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use crate::kubectl::running;
use crate::scene::{PATIENCE, Scene, until};

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    Come,
    Gone,
}

/// What the watch has told: the slices as they are now, and the last change of each address in microseconds.
#[derive(Debug, Default)]
struct Told {
    slices: BTreeMap<String, BTreeSet<String>>,
    come: BTreeMap<String, u64>,
    gone: BTreeMap<String, u64>,
}

/// A watch of one Service's slices; ends when dropped.
#[derive(Debug)]
pub struct Slices {
    kubectl: Child,
    told: Arc<Mutex<Told>>,
}

impl Slices {
    pub fn watch(scene: &Scene, service: &str) -> Result<Self> {
        let selector = format!("--selector=kubernetes.io/service-name={service}");
        let line = "-o=jsonpath={.type} {.object.metadata.name} {.object.endpoints[*].addresses[0]}{\"\\n\"}";
        let words = ["get", "endpointslices", &selector, "--watch", "--output-watch-events", line];
        let mut kubectl = running(&[&["--namespace", &scene.namespace], words.as_slice()].concat())?;
        let (told, output) = (Arc::new(Mutex::new(Told::default())), kubectl.stdout.take().context("a pipe")?);
        let heard = Arc::clone(&told);
        thread::spawn(move || hear(output, &heard));
        Ok(Slices { kubectl, told })
    }

    /// How long after its acknowledgement each of these was seen.
    pub fn delays(&self, acknowledged: &BTreeMap<String, u64>, seen: Seen) -> Result<Vec<Duration>> {
        until("the endpoints are written", PATIENCE, || {
            let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            let times = if seen == Seen::Come { &told.come } else { &told.gone };
            let delay = |(address, from): (&String, &u64)| {
                let at = times.get(address).with_context(|| format!("{address} was not {seen:?}"))?;
                Ok(Duration::from_micros(at.saturating_sub(*from)))
            };
            acknowledged.iter().map(delay).collect()
        })
    }
}

impl Drop for Slices {
    fn drop(&mut self) {
        let _ended = self.kubectl.kill();
        let _status = self.kubectl.wait();
    }
}

fn hear(output: ChildStdout, told: &Mutex<Told>) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros() as u64);
        let mut words = line.split_whitespace().map(str::to_owned);
        let (Some(what), Some(slice)) = (words.next(), words.next()) else { continue };
        // A slice that is deleted is told with what it had.
        let addresses = if what == "DELETED" { BTreeSet::new() } else { words.collect() };
        told.lock().unwrap_or_else(PoisonError::into_inner).slice_is(slice, addresses, now);
    }
}

impl Told {
    /// An address has gone when no slice has it any more.
    fn slice_is(&mut self, slice: String, addresses: BTreeSet<String>, now: u64) {
        let before = self.all();
        self.slices.insert(slice, addresses);
        let after = self.all();
        for address in after.difference(&before) {
            self.gone.remove(address);
            self.come.insert(address.clone(), now);
        }
        for address in before.difference(&after) {
            self.come.remove(address);
            self.gone.insert(address.clone(), now);
        }
    }

    fn all(&self) -> BTreeSet<String> {
        self.slices.values().flatten().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_to_another_slice_was_there_all_the_time() {
        let mut told = Told::default();
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        told.slice_is("one".to_owned(), set(&["a", "b"]), 1);
        told.slice_is("two".to_owned(), set(&["b"]), 2);
        told.slice_is("one".to_owned(), set(&["a"]), 3);
        assert_eq!((told.come.get("b"), told.gone.get("b")), (Some(&1), None));
        told.slice_is("two".to_owned(), set(&[]), 4);
        assert_eq!((told.come.get("b"), told.gone.get("b")), (None, Some(&4)));
    }
}
