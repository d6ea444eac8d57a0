//! What the tests of the built objects share: clusters read from files, and texts compared with committed ones.

#![allow(clippy::unwrap_used, clippy::panic, dead_code, reason = "a test fails by panicking; not every test uses all")]

use std::fs;
use std::path::{Path, PathBuf};

use operator::build::{Desired, Ground, Members, build};
use operator::crd::CoordinationCluster;
use serde::Serialize;

pub(crate) const IMAGE: &str = "coordd/coordd:0.1.0";
pub(crate) const OPERATOR_NAMESPACE: &str = "coordd-system";

pub(crate) fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn repository() -> &'static Path {
    package().parent().unwrap()
}

/// A cluster as the API server would hold it.
pub(crate) fn cluster(file: &str) -> CoordinationCluster {
    let text = fs::read_to_string(package().join(file)).unwrap();
    let mut cluster: CoordinationCluster = serde_yaml::from_str(&text).unwrap_or_else(|why| panic!("{file}: {why}"));
    cluster.metadata.namespace = Some("shop".to_owned());
    cluster.metadata.uid = Some("11111111-2222-3333-4444-555555555555".to_owned());
    cluster
}

/// With all of its pods.
pub(crate) fn settled(cluster: &CoordinationCluster) -> Desired {
    let image = cluster.spec.image.clone().unwrap_or_else(|| IMAGE.to_owned());
    let members = Some(Members { replicas: cluster.spec.replicas, image });
    build(cluster, &Ground { members, operator_namespace: OPERATOR_NAMESPACE.to_owned() })
}

pub(crate) fn document(object: &impl Serialize) -> String {
    format!("---\n{}", serde_yaml::to_string(object).unwrap())
}

/// All objects, in the order in which they are applied.
pub(crate) fn documents(desired: &Desired) -> String {
    let mut text = [
        document(&desired.peer_service),
        document(&desired.client_service),
        document(&desired.connection_map),
        document(&desired.network_policy),
    ]
    .concat();
    text.extend(desired.disruption_budget.as_ref().map(document));
    text.extend(desired.stateful_set.as_ref().map(document));
    text
}

/// Compares with the committed file, or writes it under `REWRITE=1`.
pub(crate) fn assert_golden(path: &Path, text: &str) {
    if std::env::var_os("REWRITE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    let differs = committed.lines().zip(text.lines()).position(|(old, new)| old != new);
    let at = differs.unwrap_or_else(|| committed.lines().count().min(text.lines().count()));
    assert!(
        committed == text,
        "{} is out of date from line {} on; look at what changes and run REWRITE=1 cargo test -p operator",
        path.display(),
        at + 1
    );
}

pub(crate) fn golden(name: &str) -> PathBuf {
    package().join("tests/golden").join(name)
}
