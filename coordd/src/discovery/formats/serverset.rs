//! ServerSets of Finagle and Twitter Commons.
//!
//! ```text
//!   member_0000000007  {"serviceEndpoint": {host, port}, "additionalEndpoints": {NAME: {…}}, "status", "shard"}
//!   vector_0000000008  {"vector": [{"select": "member=… │ inet=host:port │ shard=N", "weight": 2.0, "priority": 1}]}
//! ```
//!
//! Rule: vectors weigh the members beside them, factors multiply, as Finagle's WeightedAddress does; one that does not
//! decode is rejected and weighs nobody.

use std::collections::HashMap;

use coordd_api::discovery::InstanceState;
use serde_json::Value;

use super::fields::{self, Fields, scalar, weight_of};
use super::{Decoded, Entry, PORT, Reason, Registration, Verdict, checked};

const VECTOR: &str = "vector_";

/// Factors by what they select. Each member looks itself up, so that members and vectors cost their sum, not their
/// product.
#[derive(Default)]
struct Weights {
    members: HashMap<String, f64>,
    inets: HashMap<String, f64>,
    shards: HashMap<String, f64>,
}

impl Weights {
    fn add(&mut self, select: &str, weight: f64) {
        let (selected, of) = match select.split_once('=') {
            Some(("member", id)) => (id, &mut self.members),
            Some(("inet", address)) => (address, &mut self.inets),
            Some(("shard", shard)) => (shard, &mut self.shards),
            _ => return,
        };
        of.entry(selected.to_owned()).and_modify(|product| *product *= weight).or_insert(weight);
    }
}

pub(super) fn decode_all(entries: &[Entry<'_>]) -> Vec<Verdict> {
    let mut weights = Weights::default();
    let mut verdicts: Vec<Verdict> = entries
        .iter()
        .map(|entry| {
            if !entry.name.starts_with(VECTOR) {
                return checked(*entry, |entry| member(entry).into());
            }
            checked(*entry, |_| Verdict::Aside).and_weigh(entry, &mut weights)
        })
        .collect();
    for (entry, verdict) in entries.iter().zip(&mut verdicts) {
        if let Verdict::Instance(found) = verdict {
            weigh(found, entry.name, &weights);
        }
    }
    verdicts
}

impl Verdict {
    fn and_weigh(self, entry: &Entry<'_>, weights: &mut Weights) -> Verdict {
        match self {
            Verdict::Aside => match vector(entry.data) {
                Ok(more) => {
                    more.iter().for_each(|(select, weight)| weights.add(select, *weight));
                    Verdict::Aside
                }
                Err(reason) => Verdict::Rejected(reason),
            },
            other => other,
        }
    }
}

fn weigh(found: &mut Registration, name: &str, weights: &Weights) {
    let host = if found.address.contains(':') { format!("[{}]", found.address) } else { found.address.clone() };
    let inet = found.ports.get(PORT).and_then(|port| weights.inets.get(&format!("{host}:{port}")));
    let id = name.rsplit('_').next().filter(|id| *id != name).and_then(|id| weights.members.get(id));
    let shard = found.metadata.get("shard").and_then(|shard| weights.shards.get(shard));
    let mine = [weights.members.get(name), id, inet, shard].into_iter().flatten().copied();
    found.weight = mine.reduce(|product, factor| product * factor).filter(|weight| weight.is_finite());
}

fn vector(data: &[u8]) -> Result<Vec<(String, f64)>, Reason> {
    let object = fields::object(data)?;
    let Some(Value::Array(list)) = object.get("vector") else { return Err(Reason::Missing("vector".to_owned())) };
    let weight = |item: &Value| {
        let item = Fields::new(item.as_object().ok_or_else(|| fields::wrong("vector", item, "an object"))?);
        let select = item.text("select")?.ok_or_else(|| Reason::Missing("vector.select".to_owned()))?;
        let weight = item.get("weight").map_or(Ok(1.0), |weight| weight_of("vector.weight", weight))?;
        Ok((select.to_owned(), weight))
    };
    list.iter().map(weight).collect()
}

fn member(entry: Entry<'_>) -> Decoded {
    let object = fields::object(entry.data)?;
    let object = Fields::new(&object);
    let main = object.object("serviceEndpoint")?.ok_or_else(|| Reason::Missing("serviceEndpoint".to_owned()))?;
    let mut found = Registration::at(entry.name, main.address("host")?);
    found.ports.insert(PORT.to_owned(), main.needed_port("port")?);
    if let Some(metadata) = object.object("metadata")? {
        found.metadata = metadata.scalars();
    }
    if let Some(shard) = object.get("shard").and_then(scalar) {
        found.metadata.insert("shard".to_owned(), shard.into_owned());
    }
    let additional = object.object("additionalEndpoints")?;
    for (name, endpoint) in additional.iter().flat_map(Fields::entries) {
        let wrong = || fields::wrong(&format!("additionalEndpoints.{name}"), endpoint, "an object");
        let endpoint = Fields::new(endpoint.as_object().ok_or_else(wrong)?);
        found.add_endpoint(name, &endpoint.address("host")?, endpoint.needed_port("port")?);
    }
    found.state = state(object.text("status")?.unwrap_or("ALIVE"))?;
    found.take_zone_from_metadata();
    Ok(found)
}

fn state(status: &str) -> Result<InstanceState, Reason> {
    Ok(match status {
        "ALIVE" => InstanceState::Up,
        "STARTING" => InstanceState::Starting,
        "STOPPING" => InstanceState::Stopping,
        "DEAD" | "STOPPED" | "WARNING" => InstanceState::Down,
        other => {
            let known = "DEAD, STARTING, ALIVE, STOPPING, STOPPED, WARNING";
            return Err(Reason::Unknown { field: "status", value: other.into(), known });
        }
    })
}
