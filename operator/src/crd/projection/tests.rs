//! What the CRD says of a projection.

use kube::CustomResourceExt;
use serde_json::{Value, json};

use super::*;

fn schema() -> Value {
    let crd = serde_json::to_value(ServiceProjection::crd()).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

fn fields(schema: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    let schema = if schema["items"].is_null() { schema } else { &schema["items"] };
    let Some(properties) = schema["properties"].as_object() else { return };
    for (name, field) in properties {
        let path = format!("{path}.{name}");
        found.push((path.clone(), field.clone()));
        fields(field, &path, found);
    }
}

#[test]
fn each_field_of_a_projection_is_described_and_says_its_default_or_is_required() {
    let spec = schema()["properties"]["spec"].clone();
    let mut found = Vec::new();
    fields(&spec, "spec", &mut found);
    assert!(found.len() > 35, "the fields are not there: {}", found.len());
    let required = ["spec.path", "spec.clusterRef.name", "spec.authSecretRef.name"];
    for (path, field) in found {
        let text = field["description"].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{path} is not described");
        let leaf = field["properties"].is_null() && !path.ends_with("ports") && !path.ends_with(".port");
        assert!(!leaf || required.contains(&path.as_str()) || text.contains("Default:"), "{path}: {text}");
    }
}

#[test]
fn the_least_that_is_written_is_a_projection_with_safe_guards() {
    let spec: ServiceProjectionSpec = serde_json::from_value(json!({
        "clusterRef": {"name": "zk"}, "path": "/services/orders", "target": {"service": {"ports": [{"port": 80}]}}
    }))
    .unwrap();
    assert_eq!(spec.guards, Guards::default());
    assert_eq!((spec.format, spec.guards.empty_policy), (Registered::Auto, EmptyPolicy::Keep));
    assert_eq!(spec.guards.empty_grace.or(std::time::Duration::ZERO).as_secs(), 60);
    let written = schema()["properties"]["spec"]["properties"]["guards"]["default"].clone();
    assert_eq!(written, serde_json::to_value(Guards::default()).unwrap(), "filled in by Kubernetes as here");
}

#[test]
fn the_columns_read_what_the_status_writes() {
    let crd = serde_json::to_value(ServiceProjection::crd()).unwrap();
    let known = |path: &str| {
        let pointer = path.split('[').next().unwrap().replace('.', "/properties/");
        path.starts_with(".metadata") || schema().pointer(&pointer).is_some()
    };
    for column in crd["spec"]["versions"][0]["additionalPrinterColumns"].as_array().unwrap() {
        assert!(known(column["jsonPath"].as_str().unwrap()), "{column}");
    }
}
