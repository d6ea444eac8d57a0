//! Where tests have the operator die: before or after any of its writes.
//!
//! `COORDD_OPERATOR_FAIL_AT=NAME`, `NAME:before` or `NAME:after` ends the process at that write, as a power cut would;
//! NAME is one of `WRITES` and `PROJECTION_WRITES`.
//!
//! Rule: the name of a write in metrics is its name here. Reason: what is measured can be broken.

use std::str::FromStr;

/// What the process ends with, so that a test knows that it died where it was meant to.
pub const EXIT_CODE: i32 = 86;

/// Every write that the operator makes: those of `Step::name`, and what needs no decision.
pub const WRITES: [&str; 22] = [
    "lease",
    "secret",
    "peer-service",
    "client-service",
    "connection-map",
    "network-policy",
    "disruption-budget",
    "stateful-set",
    "claim",
    "status",
    "event",
    "record-bootstrap",
    "bootstrap",
    "set-replicas",
    "add-learner",
    "promote",
    "remove",
    "transfer-leader",
    "delete-pod",
    "delete-claim",
    "record-recovery",
    "recover",
];

/// Every write that projections make.
pub const PROJECTION_WRITES: [&str; 7] = [
    "projection-service",
    "projection-slice",
    "projection-slice-delete",
    "projection-service-delete",
    "projection-config-map",
    "projection-lease",
    "projection-status",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Before,
    After,
}

/// One write, and the side of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FailPoint {
    name: String,
    side: Side,
}

impl FromStr for FailPoint {
    type Err = String;

    fn from_str(text: &str) -> Result<FailPoint, String> {
        let (name, side) = match text.split_once(':') {
            None => (text, Side::Before),
            Some((name, "before")) => (name, Side::Before),
            Some((name, "after")) => (name, Side::After),
            Some(_) => return Err(format!("{text:?} must be NAME, NAME:before or NAME:after")),
        };
        if !WRITES.contains(&name) && !PROJECTION_WRITES.contains(&name) {
            let (ours, more) = (WRITES.join(", "), PROJECTION_WRITES.join(", "));
            return Err(format!("{name:?} must be one of {ours}, {more}"));
        }
        Ok(FailPoint { name: name.to_owned(), side })
    }
}

impl FailPoint {
    /// Ends the process if this is the place.
    pub(crate) fn reached(&self, name: &str, side: Side) {
        if self.name == name && self.side == side {
            eprintln!("operator: fail point {name} ({side:?})");
            std::process::exit(EXIT_CODE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fail_point_names_a_write_and_a_side() {
        let read = |text: &str| text.parse::<FailPoint>().map(|point| (point.name, point.side));
        assert_eq!(read("promote"), Ok(("promote".to_owned(), Side::Before)));
        assert_eq!(read("promote:after"), Ok(("promote".to_owned(), Side::After)));
        assert!(read("promote:during").is_err());
        assert!(read("promotes").is_err_and(|why| why.contains("promote, remove")));
    }
}
