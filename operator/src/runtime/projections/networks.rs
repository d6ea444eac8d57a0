//! What Kubernetes says of itself, and where therefore no endpoint is: the networks of Services, the API server.
//!
//! ```text
//!   every minute:  ServiceCIDRs ─► networks of Services          EndpointSlice default/kubernetes ─► the API server
//!                  └─ may not be read, or there is no such kind (before 1.33): none; the operator's options name them
//!   nodes (shelf)  not listed: why? ─► may not be read: done without ─┴─ anything else: waited for
//! ```
//!
//! Rule: before it has been answered no projection is looked at; what was read once stays when it cannot be read again.
//! Reason: an endpoint at the address of a Service hangs, as nothing translates it twice; and an API server that is
//! slow to answer must not let in what is refused at any other time.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::ServiceCIDR;
use kube::api::ListParams;
use kube::{Api, Client};
use tokio::time::sleep;

use crate::projection::Cidr;
use crate::runtime::backoff::jitter;
use crate::runtime::failure::Failure;
use crate::runtime::read;
use crate::runtime::shelf::{NOT_LISTED, Shelf};
use crate::world::Node;

const AGAIN: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(1);

/// What was read, or why it was not.
#[derive(Clone, Debug)]
struct Found<T> {
    value: Option<T>,
    why: String,
}

impl<T> Default for Found<T> {
    fn default() -> Found<T> {
        Found { value: None, why: NOT_LISTED.to_owned() }
    }
}

impl<T: Default> Found<T> {
    /// Notes what a read has brought. Whether it says for the first time that it cannot be had.
    fn note(&mut self, read: Result<T, Failure>) -> bool {
        match read {
            Ok(value) => self.value = Some(value),
            Err(failure) if failure.is_closed() => {
                let first = self.value.is_none();
                self.value.get_or_insert_default();
                return first;
            }
            Err(failure) => self.why = failure.to_string(),
        }
        false
    }

    fn missing(&self) -> Option<String> {
        self.value.is_none().then(|| self.why.clone())
    }
}

#[derive(Default)]
struct Known {
    services: Found<Vec<Cidr>>,
    api_server: Found<BTreeSet<IpAddr>>,
    /// Whether nodes may not be read; asked when their list cannot be had.
    nodes_are_closed: Option<bool>,
}

#[derive(Default)]
pub(crate) struct Networks(Mutex<Known>);

impl Networks {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why it is not known yet where no endpoint may be, where `nodes` says why they have not been listed.
    pub(super) fn missing(&self, nodes: Option<String>) -> Option<String> {
        let known = self.lock();
        let nodes = nodes.filter(|_| known.nodes_are_closed != Some(true)).map(|why| match known.nodes_are_closed {
            Some(_) => why,
            None => NOT_LISTED.to_owned(),
        });
        nodes.or_else(|| known.services.missing()).or_else(|| known.api_server.missing())
    }

    /// The networks of Services.
    pub(super) fn of_services(&self) -> Vec<Cidr> {
        self.lock().services.value.clone().unwrap_or_default()
    }

    /// The addresses of the API server itself.
    pub(super) fn api_server(&self) -> BTreeSet<IpAddr> {
        self.lock().api_server.value.clone().unwrap_or_default()
    }

    /// Reads all again and again. `everywhere`: the operator keeps all namespaces, and may read in all.
    pub(super) async fn keep_up(&self, client: &Client, nodes: &Shelf<Node>, everywhere: bool) {
        loop {
            if nodes.missing().is_some_and(|why| why != NOT_LISTED) {
                let one = ListParams::default().limit(1);
                let read = read("nodes", Api::<v1::Node>::all(client.clone()).list_metadata(&one)).await;
                self.lock().nodes_are_closed = Some(read.is_err_and(|failure| failure.is_closed()));
            }
            let services = Api::<ServiceCIDR>::all(client.clone());
            let list = read("ServiceCIDRs", services.list(&ListParams::default())).await;
            let networks = list.map(|list| list.iter().flat_map(networks).collect());
            if self.lock().services.note(networks) {
                tracing::info!("the networks of Services cannot be read here: name them among the denied ones");
            }
            let api_server = if everywhere { self.read_api_server(client).await } else { Ok(BTreeSet::new()) };
            self.lock().api_server.note(api_server);
            sleep(if self.missing(nodes.missing()).is_some() { SOON } else { jitter(AGAIN) }).await;
        }
    }

    async fn read_api_server(&self, client: &Client) -> Result<BTreeSet<IpAddr>, Failure> {
        let slices = Api::<EndpointSlice>::namespaced(client.clone(), "default");
        let slice = read("EndpointSlice of the API server", slices.get_opt("kubernetes")).await?;
        let endpoints = slice.into_iter().flat_map(|slice| slice.endpoints);
        Ok(endpoints.flat_map(|one| one.addresses).filter_map(|text| text.parse().ok()).collect())
    }
}

fn networks(object: &ServiceCIDR) -> Vec<Cidr> {
    let cidrs = object.spec.iter().filter_map(|spec| spec.cidrs.as_ref()).flatten();
    cidrs.filter_map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: u16) -> Failure {
        let status = kube::core::Status::failure("not so", "Reason").with_code(code).boxed();
        Failure::kubernetes("ServiceCIDRs", kube::Error::Api(status))
    }

    #[test]
    fn what_may_not_be_read_or_is_no_kind_here_is_done_without_and_all_else_is_waited_for() {
        for (code, waits) in [(403, false), (404, false), (500, true), (429, true), (401, true)] {
            let mut found = Found::<Vec<u8>>::default();
            assert_eq!(found.missing().as_deref(), Some(NOT_LISTED));
            assert_eq!(found.note(Err(error(code))), !waits, "{code}");
            assert_eq!(found.missing().is_some(), waits, "{code}");
            found.note(Ok(vec![7]));
            found.note(Err(error(code)));
            assert_eq!((found.missing(), found.value), (None, Some(vec![7])), "{code}: what was read stays");
        }
    }

    #[test]
    fn nodes_that_may_not_be_read_are_done_without_and_those_that_cannot_be_had_now_are_waited_for() {
        let networks = Networks::default();
        networks.lock().services.note(Ok(Vec::new()));
        networks.lock().api_server.note(Ok(BTreeSet::new()));
        let nodes = |why: &str| Some(why.to_owned());
        assert_eq!(networks.missing(None), None);
        for (closed, why, missing) in [
            (None, "connection refused", nodes(NOT_LISTED)),
            (Some(false), NOT_LISTED, nodes(NOT_LISTED)),
            (Some(false), "connection refused", nodes("connection refused")),
            (Some(true), "nodes is forbidden", None),
        ] {
            networks.lock().nodes_are_closed = closed;
            assert_eq!(networks.missing(nodes(why)), missing, "{why}");
        }
    }

    #[test]
    fn networks_are_those_of_both_families() {
        let object = serde_json::json!({"metadata": {"name": "kubernetes"},
            "spec": {"cidrs": ["10.96.0.0/12", "fd00:10::/108", "odd"]}});
        let found = networks(&serde_json::from_value(object).unwrap());
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.96.0.0/12", "fd00:10::/108"]);
    }
}
