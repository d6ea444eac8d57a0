//! What the CRD says, held against what is committed and against coordd's own words.

use std::path::{Path, PathBuf};

use kube::CustomResourceExt;
use serde_json::Value;

use super::*;

fn repository(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(file)
}

fn schema() -> Value {
    let crd = serde_json::to_value(CoordinationCluster::crd()).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

#[test]
fn the_committed_manifests_are_those_of_the_types() {
    for (file, text) in manifests().unwrap() {
        let path = repository("crds").join(&file);
        if std::env::var_os("REWRITE").is_some() {
            std::fs::create_dir_all(repository("crds")).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(there == text, "crds/{file} is out of date; run REWRITE=1 cargo test -p operator --lib crd");
    }
}

#[test]
fn the_committed_references_are_those_of_the_schemas() {
    for (file, text) in [("reference", reference()), ("projection-reference", projection_reference())] {
        let (file, text) = (format!("operator/docs/{file}.md"), text.unwrap());
        let path = repository(&file);
        if std::env::var_os("REWRITE").is_some() {
            std::fs::create_dir_all(repository("operator/docs")).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(there == text, "{file} is out of date; run REWRITE=1 cargo test -p operator --lib crd");
    }
}

#[test]
fn an_empty_spec_is_a_good_ensemble_of_three() {
    let spec: CoordinationClusterSpec = serde_json::from_str("{}").unwrap();
    assert_eq!(spec, CoordinationClusterSpec::default());
    assert_eq!((spec.replicas, spec.disruption.max_unavailable, spec.healing.enabled), (3, 1, true));
    assert_eq!(spec.storage.size.0, "10Gi");
    assert_eq!(spec.storage.retention.when_deleted, RetentionPolicy::Retain);
}

#[test]
fn what_kubernetes_fills_in_is_what_the_operator_takes_for_the_default() {
    let defaults = |at: &str| schema().pointer(at).cloned().unwrap_or_default();
    let spec = serde_json::to_value(CoordinationClusterSpec::default()).unwrap();
    for (field, value) in spec.as_object().unwrap() {
        assert_eq!(defaults(&format!("/properties/spec/properties/{field}/default")), *value, "{field}");
    }
}

/// Each field of the spec, its path and its schema.
fn fields(schema: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    let Some(properties) = schema["properties"].as_object() else { return };
    for (name, field) in properties {
        let path = format!("{path}.{name}");
        found.push((path.clone(), field.clone()));
        fields(field, &path, found);
    }
}

#[test]
fn each_field_is_described_and_says_its_default() {
    let mut found = Vec::new();
    fields(&schema()["properties"]["spec"], "spec", &mut found);
    assert!(found.len() > 50, "the fields are not there");
    // Parts of Kubernetes' own types are described by Kubernetes.
    for (path, field) in found {
        let text = field["description"].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{path} is not described");
        let leaf = field["properties"].is_null();
        assert!(!leaf || text.contains("Default:"), "{path} does not say its default: {text}");
    }
}

fn snake(camel: &str) -> String {
    camel.chars().flat_map(|c| c.is_ascii_uppercase().then_some('_').into_iter().chain(c.to_lowercase())).collect()
}

/// The longest request that coordd takes with its own size of a log file, which cannot be set here: twice that and
/// some room for what is around it fit in. In whole MiB.
fn longest_frame(page: &str) -> &'static str {
    let segment = page.split("\n- **`log_segment_bytes`**").nth(1).unwrap();
    let segment = segment.split_once("Default: `").unwrap().1.split('`').next().unwrap();
    let room = text::bytes(segment).unwrap() - (128 << 10);
    assert_eq!(room / 2 / (1 << 20), 31, "coordd has another size of log files");
    "31MiB"
}

#[test]
fn settings_have_coordds_names_ranges_and_defaults() {
    let page = std::fs::read_to_string(repository("coordd/docs/configuration.md")).unwrap();
    let config = schema()["properties"]["spec"]["properties"]["config"]["properties"].clone();
    for (camel, field) in config.as_object().unwrap() {
        let key = snake(camel);
        let entry = page.split("\n- **`").find(|entry| entry.starts_with(&format!("{key}`**")));
        let entry = entry.unwrap_or_else(|| panic!("coordd has no setting {key}"));
        let (value, default) = entry.split_once("Value: ").unwrap().1.split_once(". Default: ").unwrap();
        if let (Some(min), Some(max)) = (field["minimum"].as_f64(), field["maximum"].as_f64()) {
            assert!(value.ends_with(&format!("from {min} to {max}")), "{key}: {value}, here {min} to {max}");
        }
        if let Some(range) = value.strip_prefix("a number of bytes (or KiB, MiB, GiB) from ") {
            let (min, coordds_max) = range.split_once(" to ").unwrap();
            let max = if key == "max_frame_bytes" { longest_frame(&page) } else { coordds_max };
            let rule = &field["x-kubernetes-validations"][0];
            let range = [min, max].map(|limit| text::bytes(limit).unwrap());
            let wanted = format!("n >= {}.0 && n <= {}.0)", range[0], range[1]);
            assert!(rule["rule"].as_str().unwrap().ends_with(&wanted), "{key}: {rule}, not {wanted}");
            assert!(rule["message"].as_str().unwrap().contains(&format!("must be {min} to {max}")), "{key}: {rule}");
            let text = field["description"].as_str().unwrap();
            assert!(text.contains(&format!("{min} to {max}")), "{key}: {text} does not say {min} to {max}");
        }
        let default = default.lines().next().unwrap_or_default().trim_end_matches('.');
        let text = field["description"].as_str().unwrap();
        if let Some(plain) = default.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
            assert!(text.ends_with(&format!("Default: {plain}.")), "{key}: coordd has {plain}; here: {text}");
        }
    }
}

#[test]
fn the_scale_subresource_and_the_columns_read_what_the_status_writes() {
    let crd = serde_json::to_value(CoordinationCluster::crd()).unwrap();
    let version = &crd["spec"]["versions"][0];
    let known = |path: &str| {
        let pointer = path.split('[').next().unwrap().replace('.', "/properties/");
        path.starts_with(".metadata") || schema().pointer(&pointer).is_some()
    };
    let scale = version["subresources"]["scale"].as_object().unwrap();
    assert!(scale.values().all(|path| known(path.as_str().unwrap())), "{scale:?}");
    let columns = version["additionalPrinterColumns"].as_array().unwrap();
    for column in columns {
        assert!(known(column["jsonPath"].as_str().unwrap()), "{column}");
    }
    let shown = columns.iter().filter(|column| column["priority"].as_i64().unwrap_or(0) == 0);
    let names: Vec<_> = shown.map(|column| column["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Ready", "Status", "Members", "Leader", "Quorum", "Version", "Age"]);
}
