//! Values that are written as text with a unit: durations and amounts.

use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A duration such as `90s`, `10m` or `1h30m`, as Kubernetes writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(pub String);

const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

impl Span {
    pub fn new(text: &str) -> Span {
        Span(text.to_owned())
    }

    /// `None` where it is not a duration; the API server lets no such text in.
    pub fn parse(&self) -> Option<Duration> {
        let mut rest = self.0.as_str();
        let mut millis: u64 = 0;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit())?;
            let (number, after) = rest.split_at(digits);
            let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
            let (unit, next) = after.split_at(letters);
            let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
            millis = millis.checked_add(number.parse::<u64>().ok()?.checked_mul(*factor)?)?;
            rest = next;
        }
        (!self.0.is_empty()).then(|| Duration::from_millis(millis))
    }

    /// The duration, or `otherwise` where the text is none.
    pub fn or(&self, otherwise: Duration) -> Duration {
        self.parse().unwrap_or(otherwise)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 20, "pattern": "^([0-9]+(ms|s|m|h))+$"})
    }
}

/// How coordd writes a number of bytes: the unit and how many bytes it is.
const BYTE_UNITS: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// A number of bytes as coordd takes it: `1048576`, `512KiB`, `64MiB`, `2GiB`.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let unit = BYTE_UNITS.into_iter().find_map(|(name, size)| Some((text.strip_suffix(name)?, size)));
    let (number, size) = unit.unwrap_or((text, 1));
    number.parse::<u64>().ok()?.checked_mul(size)
}

/// A number of bytes that is at least `min` and at most `max`; `field` is its name for whoever wrote another.
pub(crate) fn bytes_schema(field: &str, min: &str, max: &str) -> Schema {
    let limit = |text: &str| bytes(text).unwrap_or_default();
    let units = BYTE_UNITS.map(|(name, size)| format!("self.endsWith('{name}') ? {size}.0 : "));
    // In floating point, which is exact as far as that and bears any number that somebody writes.
    let rule = format!(
        "[double(self.find('^[0-9]+')) * ({}1.0)].all(n, n >= {}.0 && n <= {}.0)",
        units.concat(),
        limit(min),
        limit(max)
    );
    let message = format!("{field} must be {min} to {max}: a number of bytes, or of KiB, MiB or GiB such as {max}");
    json_schema!({
        "type": "string",
        "nullable": true,
        "maxLength": 20,
        "pattern": "^[0-9]+(KiB|MiB|GiB)?$",
        "x-kubernetes-validations": [{"rule": rule, "message": message}]
    })
}

/// One Kubernetes quantity: `10Gi`, `500m`, `2`.
pub(crate) fn quantity_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"x-kubernetes-int-or-string": true, "maxLength": 40})
}

/// Quantities by name, as of requests and limits.
pub(crate) fn quantities_schema(generator: &mut SchemaGenerator) -> Schema {
    let each = quantity_schema(generator);
    json_schema!({"type": "object", "maxProperties": 16, "additionalProperties": each})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_bytes_are_read_as_coordd_writes_them() {
        let read = ["0", "1048575", "1KiB", "64MiB", "1024GiB"].map(|text| bytes(text).unwrap());
        assert_eq!(read, [0, 1_048_575, 1 << 10, 64 << 20, 1 << 40]);
        for wrong in ["", "1GB", "KiB", "-1", "1.5MiB", "99999999999999999999"] {
            assert_eq!(bytes(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn durations_are_read_as_kubernetes_writes_them() {
        let read = |text: &str| Span::new(text).parse().map(|span| span.as_millis());
        assert_eq!(read("90s"), Some(90_000));
        assert_eq!(read("1h30m"), Some(5_400_000));
        assert_eq!(read("250ms"), Some(250));
        assert_eq!(read("0s"), Some(0));
        for wrong in ["", "10", "s", "10d", "-1s", "1s ", "99999999999999999999h"] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
