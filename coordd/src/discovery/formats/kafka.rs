//! Kafka's brokers, `/brokers/ids/<id>`.
//!
//! ```text
//!   {"endpoints": ["PLAINTEXT://kafka-0:9092", …], "listener_security_protocol_map": {…}, "rack", "host", "port", …}
//! ```
//!
//! Rule: `endpoints` count, each under its listener's name; `host` and `port` (null and -1 without PLAINTEXT) count
//! only where a broker from before them wrote. The address is that of the first endpoint.

use serde_json::Value;

use super::fields::{self, Fields, scalar};
use super::{Decoded, Entry, Reason, Registration, address};

/// The listener of a broker that knows none.
const PLAINTEXT: &str = "PLAINTEXT";

pub(super) fn decode(entry: Entry<'_>) -> Decoded {
    if !is_broker(entry.name) {
        return Err(Reason::no_form(entry.name, "number of a broker"));
    }
    let object = fields::object(entry.data)?;
    let object = Fields::new(&object);
    let mut found = match object.get("endpoints") {
        None => {
            let mut found = Registration::at(entry.name, object.address("host")?);
            found.ports.insert(PLAINTEXT.to_owned(), object.needed_port("port")?);
            found
        }
        Some(Value::Array(endpoints)) => endpoints_of(entry.name, endpoints)?,
        Some(other) => return Err(fields::wrong("endpoints", other, "an array")),
    };
    let protocols = object.object("listener_security_protocol_map")?;
    for (name, protocol) in protocols.iter().flat_map(|protocols| protocols.scalars()) {
        found.metadata.insert(format!("protocol.{name}"), protocol);
    }
    for key in ["version", "jmx_port", "timestamp"] {
        if let Some(value) = object.get(key).and_then(scalar) {
            found.metadata.insert(key.to_owned(), value.into_owned());
        }
    }
    found.zone = object.text("rack")?.filter(|rack| !rack.is_empty()).map(str::to_owned);
    Ok(found)
}

/// Whether a znode is called as a broker is, by a number.
pub(super) fn is_broker(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_digit()) && name.parse::<u32>().is_ok()
}

fn endpoints_of(id: &str, endpoints: &[Value]) -> Decoded {
    let mut found: Option<Registration> = None;
    for endpoint in endpoints {
        let Value::String(text) = endpoint else { return Err(fields::wrong("endpoints", endpoint, "a string")) };
        let (listener, place) =
            text.split_once("://").ok_or_else(|| Reason::no_form(text, "endpoint LISTENER://host:port"))?;
        let (address, port) = address::host_port(place)?;
        let broker = found.get_or_insert_with(|| Registration::at(id, address.clone()));
        broker.add_endpoint(listener, &address, port);
    }
    found.ok_or_else(|| Reason::Missing("an endpoint".to_owned()))
}
