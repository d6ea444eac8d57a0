//! Curator's ServiceDiscovery; Spring Cloud ZooKeeper and Dubbo 3 write the same with payloads of their own.
//!
//! ```text
//!   {"name", "id", "address", "port", "sslPort", "payload", "enabled", …}      payload: any JSON, or nothing
//!   Spring    payload.metadata.instance_status    UP │ OUT_OF_SERVICE
//!   Dubbo 3   payload.metadata["dubbo.endpoints"] = a string: [{"port":20880,"protocol":"dubbo"}, …]
//! ```
//!
//! Rule: absent is `enabled`, and `UP` (CURATOR-275: the stock serializer may leave it out); unknown fields are none of
//! our business. An instance may have no port at all.

use coordd_api::discovery::InstanceState;
use serde_json::Value;

use super::fields::{self, Fields, port_of};
use super::{Decoded, Entry, PORT, Reason, Registration, SECURE_PORT};

const ENDPOINTS: &str = "dubbo.endpoints";

pub(super) fn decode(entry: Entry<'_>) -> Decoded {
    let object = fields::object(entry.data)?;
    let object = Fields::new(&object);
    let id = object.text("id")?.filter(|id| !id.is_empty()).unwrap_or(entry.name);
    let mut found = Registration::at(id, object.address("address")?);
    for (name, key) in [(PORT, "port"), (SECURE_PORT, "sslPort")] {
        if let Some(port) = object.port(key)? {
            found.ports.insert(name.to_owned(), port);
        }
    }
    let enabled = object.flag("enabled")?.unwrap_or(true);
    // A payload that is no object belongs to the application alone.
    if let Some(Value::Object(payload)) = object.get("payload") {
        let payload = Fields::new(payload);
        found.metadata = match payload.get("metadata") {
            Some(Value::Object(metadata)) => Fields::new(metadata).scalars(),
            _ => payload.scalars(),
        };
        found.metadata.remove("@class");
    }
    let up = found.metadata.get("instance_status").is_none_or(|status| status.eq_ignore_ascii_case("UP"));
    found.state = if enabled && up { InstanceState::Up } else { InstanceState::Down };
    if let Some(endpoints) = found.metadata.remove(ENDPOINTS) {
        dubbo_endpoints(&mut found, &endpoints)?;
    }
    found.take_zone_from_metadata();
    found.take_weight_from_metadata();
    Ok(found)
}

/// Each protocol's port by its name; the plain port goes where it is one of them.
fn dubbo_endpoints(found: &mut Registration, text: &str) -> Result<(), Reason> {
    let wrong = || Reason::no_form(text, "list of Dubbo's endpoints");
    let Ok(Value::Array(endpoints)) = serde_json::from_str(text) else { return Err(wrong()) };
    for endpoint in &endpoints {
        let endpoint = Fields::new(endpoint.as_object().ok_or_else(wrong)?);
        let protocol = endpoint.text("protocol")?.ok_or_else(wrong)?;
        let port = port_of("port in dubbo.endpoints", endpoint.get("port").unwrap_or(&Value::Null))?;
        if found.ports.get(PORT) == Some(&port) {
            found.ports.remove(PORT);
        }
        let taken = found.ports.get(protocol).is_some_and(|other| *other != port);
        let name = if taken { format!("{protocol}-{port}") } else { protocol.to_owned() };
        found.ports.insert(name, port);
    }
    Ok(())
}
