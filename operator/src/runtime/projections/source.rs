//! What is followed, and what makes it something else.

use coordd_api::JsonPaths;
use coordd_api::Question;
use coordd_api::discovery::{Format, ServiceView};

use crate::crd::ServiceProjectionSpec;
use crate::crd::projection::Registered;
use crate::names::ClusterName;
use crate::projection::{View, Views};

/// A feed is begun anew when any of this changes. It holds a password and cannot be printed.
#[derive(Clone, PartialEq)]
pub(super) struct Key {
    pub cluster: ClusterName,
    /// Its uid: one that was made anew counts its zxids anew.
    pub cluster_uid: String,
    /// Id of its ensemble, which is another after a recovery; of any other nothing is believed.
    pub ensemble: Option<String>,
    pub credentials: Option<(String, String)>,
    /// What of the spec says what is asked.
    pub asked: ServiceProjectionSpec,
}

impl Key {
    pub(super) fn new(
        spec: &ServiceProjectionSpec,
        cluster: ClusterName,
        cluster_uid: String,
        ensemble: Option<String>,
        credentials: Option<(String, String)>,
    ) -> Key {
        // What is written, and what guards it, changes no question.
        let mut asked = ServiceProjectionSpec { guards: Default::default(), ..spec.clone() };
        if let Some(service) = &mut asked.target.service {
            let template = service.name_template.as_ref().map(|_| "{name}".to_owned());
            (service.name, service.name_template, service.traffic_distribution) = (None, template, None);
            service.ports.clear();
        }
        if asked.target.config_map.is_some() {
            asked.target.config_map = Some(Default::default());
        }
        if let Some(leader) = &mut asked.target.leader {
            (leader.name, leader.lease) = (None, false);
            leader.ports.clear();
        }
        Key { cluster, cluster_uid, ensemble, credentials, asked }
    }

    /// No answer yet.
    pub(super) fn views(&self) -> Views {
        let target = &self.asked.target;
        match &target.service {
            Some(service) if service.name_template.is_some() => {
                Views::Children { list: View::Waiting, services: std::collections::BTreeMap::new() }
            }
            Some(_) => Views::Service(View::Waiting),
            None if target.config_map.is_some() => Views::ConfigMap(View::Waiting),
            None => Views::Leader(View::Waiting),
        }
    }

    /// The question for the instances below a path.
    pub(super) fn service(&self, path: &str) -> Question<ServiceView> {
        let question = Question::service(path);
        let question = match self.asked.format {
            Registered::Auto => question,
            Registered::Curator => question.format(Format::Curator),
            Registered::ServerSet => question.format(Format::ServerSet),
            Registered::Dubbo => question.format(Format::Dubbo),
            Registered::Nerve => question.format(Format::Nerve),
            Registered::Kafka => question.format(Format::Kafka),
            Registered::HostPort => question.format(Format::HostPort),
            Registered::Json => {
                let paths = self.asked.json.clone().unwrap_or_default();
                let crate::crd::projection::JsonPaths { address, port, ready, zone } = paths;
                question.json(JsonPaths { address, port, ready, zone, weight: None })
            }
        };
        self.asked.selector.iter().fold(question, |question, (key, value)| question.metadata(key, value))
    }
}
