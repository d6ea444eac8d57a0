//! Nerve of SmartStack.
//!
//! ```text
//!   i-0abc_0000000003                         {"host", "port", "name", "weight", "haproxy_server_options", "labels"}
//!   base64_<len>_<base64url>_0000000003       the same in the name: <len> characters of base64
//! ```
//!
//! Rule: the id is `name`, as Synapse shows it to HAProxy. Reason for the length: `_` is also a letter of base64url.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::fields::{self, Fields, scalar};
use super::{Decoded, Entry, PORT, Reason, Registration};

pub(super) const IN_NAME: &str = "base64_";

/// Ruby pads, others do not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The registration's own bytes, wherever they stand.
fn payload<'a>(entry: Entry<'a>) -> Result<Cow<'a, [u8]>, Reason> {
    let Some(rest) = entry.name.strip_prefix(IN_NAME) else { return Ok(Cow::Borrowed(entry.data)) };
    let wrong = || Reason::no_form(entry.name, "base64_LENGTH_DATA_SEQUENCE");
    let (len, rest) = rest.split_once('_').ok_or_else(wrong)?;
    let encoded = len.parse().ok().and_then(|len| rest.get(..len)).ok_or_else(wrong)?;
    BASE64.decode(encoded).map(Cow::Owned).map_err(|_| wrong())
}

pub(super) fn decode(entry: Entry<'_>) -> Decoded {
    let object = fields::object(&payload(entry)?)?;
    let object = Fields::new(&object);
    let id = object.text("name")?.filter(|id| !id.is_empty()).unwrap_or(entry.name);
    let mut found = Registration::at(id, object.address("host")?);
    found.ports.insert(PORT.to_owned(), object.needed_port("port")?);
    found.weight = object.weight("weight")?;
    if let Some(labels) = object.object("labels")? {
        found.metadata = labels.scalars();
    }
    if let Some(options) = object.get("haproxy_server_options").and_then(scalar) {
        found.metadata.insert("haproxy_server_options".to_owned(), options.into_owned());
    }
    found.take_zone_from_metadata();
    Ok(found)
}
