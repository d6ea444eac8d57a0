//! What is counted of projections.
//!
//! ```text
//!   coordd_operator_projection_services{namespace,projection}
//!   coordd_operator_projection_endpoints{namespace,projection,ready}    "true", "false"
//!   coordd_operator_projection_rejected{namespace,projection}
//!   coordd_operator_projection_bytes{namespace,projection}       what the answers that are followed take in memory
//!   coordd_operator_projection_condition{namespace,projection,condition}  1 True, 0 False, -1 Unknown
//! ```

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::crd::ProjectionStatus;
use crate::names::ClusterName;
use crate::runtime::metrics::Page;

#[derive(Default)]
pub(crate) struct Projections(BTreeMap<ClusterName, Figures>);

struct Figures {
    status: ProjectionStatus,
    bytes: usize,
}

impl Projections {
    pub(crate) fn observed(&mut self, name: &ClusterName, status: &ProjectionStatus, bytes: usize) {
        let status = ProjectionStatus { rejections: Vec::new(), ..status.clone() };
        self.0.insert(name.clone(), Figures { status, bytes });
    }

    pub(crate) fn forget(&mut self, name: &ClusterName) {
        self.0.remove(name);
    }

    pub(crate) fn write(&self, page: &mut Page) {
        let of = |name: &ClusterName| [("namespace", name.namespace.clone()), ("projection", name.name.clone())];
        type More<'a> = Option<(&'a str, &'a str)>;
        let line = |page: &mut Page, name: &ClusterName, figure: &str, more: More<'_>, value: &dyn Display| {
            let own = of(name);
            let labels = own.iter().map(|(key, value)| (*key, value.as_str()));
            page.line(figure, &labels.chain(more).collect::<Vec<_>>(), value);
        };
        page.family("projection_services", "gauge", "Services that a projection keeps.");
        for (name, Figures { status, .. }) in &self.0 {
            line(page, name, "projection_services", None, &status.services);
        }
        page.family("projection_endpoints", "gauge", "Endpoints that are written.");
        for (name, Figures { status, .. }) in &self.0 {
            let waiting = status.endpoints.saturating_sub(status.ready_endpoints);
            for (ready, count) in [("true", status.ready_endpoints), ("false", waiting)] {
                line(page, name, "projection_endpoints", Some(("ready", ready)), &count);
            }
        }
        page.family("projection_rejected", "gauge", "Registrations that are not projected.");
        for (name, Figures { status, .. }) in &self.0 {
            line(page, name, "projection_rejected", None, &status.rejected);
        }
        page.family("projection_bytes", "gauge", "Bytes that the answers that are followed take in memory.");
        for (name, Figures { bytes, .. }) in &self.0 {
            line(page, name, "projection_bytes", None, bytes);
        }
        page.family("projection_condition", "gauge", "Conditions: 1 True, 0 False, -1 Unknown.");
        for (name, Figures { status, .. }) in &self.0 {
            for condition in &status.conditions {
                let value = match condition.status.as_str() {
                    "True" => 1,
                    "False" => 0,
                    _ => -1,
                };
                line(page, name, "projection_condition", Some(("condition", &condition.type_)), &value);
            }
        }
    }
}
