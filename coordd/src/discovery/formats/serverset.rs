//! ServerSets of Finagle and Twitter Commons.
//!
//! ```text
//!   member_0000000007  {"serviceEndpoint": {host, port}, "additionalEndpoints": {NAME: {…}}, "status", "shard"}
//!   vector_0000000008  {"vector": [{"select": "member=… │ inet=host:port │ shard=N", "weight": 2.0, "priority": 1}]}
//! ```
//!
//! Rule: vectors weigh the members beside them, factors multiply, as Finagle's WeightedAddress does; one that does not
//! decode is rejected and weighs nobody.

use coordd_api::discovery::InstanceState;
use serde_json::Value;

use super::fields::{self, Fields, scalar, weight_of};
use super::{Decoded, Entry, PORT, Reason, Registration, Verdict, checked};

const VECTOR: &str = "vector_";

struct Weight {
    select: String,
    weight: f64,
}

pub(super) fn decode_all(entries: &[Entry<'_>]) -> Vec<Verdict> {
    let mut weights = Vec::new();
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
    fn and_weigh(self, entry: &Entry<'_>, weights: &mut Vec<Weight>) -> Verdict {
        match self {
            Verdict::Aside => match vector(entry.data) {
                Ok(more) => {
                    weights.extend(more);
                    Verdict::Aside
                }
                Err(reason) => Verdict::Rejected(reason),
            },
            other => other,
        }
    }
}

fn weigh(found: &mut Registration, name: &str, weights: &[Weight]) {
    let host = if found.address.contains(':') { format!("[{}]", found.address) } else { found.address.clone() };
    let inet = found.ports.get(PORT).map(|port| format!("{host}:{port}"));
    let member_id = name.rsplit('_').next();
    let picks = |select: &str| match select.split_once('=') {
        Some(("member", id)) => id == name || Some(id) == member_id,
        Some(("inet", address)) => Some(address) == inet.as_deref(),
        Some(("shard", shard)) => found.metadata.get("shard").is_some_and(|mine| mine == shard),
        _ => false,
    };
    let mine = weights.iter().filter(|weight| picks(&weight.select)).map(|weight| weight.weight);
    found.weight = mine.reduce(|product, factor| product * factor).filter(|weight| weight.is_finite());
}

fn vector(data: &[u8]) -> Result<Vec<Weight>, Reason> {
    let object = fields::object(data)?;
    let Some(Value::Array(list)) = object.get("vector") else { return Err(Reason::Missing("vector".to_owned())) };
    let weight = |item: &Value| {
        let item = Fields::new(item.as_object().ok_or_else(|| fields::wrong("vector", item, "an object"))?);
        let select = item.text("select")?.ok_or_else(|| Reason::Missing("vector.select".to_owned()))?;
        let weight = item.get("weight").map_or(Ok(1.0), |weight| weight_of("vector.weight", weight))?;
        Ok(Weight { select: select.to_owned(), weight })
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
