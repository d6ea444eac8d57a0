//! How each setting applies: live, by rolling the members, or not at all once it is set.
//!
//! ```text
//!   each field of the schema, changed alone (to what tests/specs/everything.yaml has) ─► template changed or not
//! ```
//!
//! Rule: "live" and "rolls" are claims that are tried out on every setting. Reason: a setting that restarts members
//! unawares is an outage that somebody believed to be a change of a label.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;

use kube::CustomResourceExt;
use operator::build::{Ground, Members, build};
use operator::crd::{Applies, CoordinationCluster, applies};
use serde_json::{Value, json};
use support::{IMAGE, OPERATOR_NAMESPACE, document, package};

/// Paths of the fields that have no fields of ours: those of Kubernetes (tolerations, variables) are within lists.
fn leaves(schema: &Value, path: &str, all: &mut Vec<String>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        all.push(path.to_owned());
        return;
    };
    for (name, schema) in properties {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        leaves(schema, &path, all);
    }
}

fn settings() -> Vec<String> {
    let crd = serde_json::to_value(CoordinationCluster::crd()).unwrap();
    let schema = crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").unwrap();
    let mut all = Vec::new();
    leaves(schema, "", &mut all);
    assert!(all.len() > 40, "{all:?}");
    all
}

/// The pod template and what else of the StatefulSet cannot be changed, of a spec that has `value` at `path` alone.
fn template(path: &str, value: &Value) -> String {
    let mut spec = json!({});
    if !path.is_empty() {
        let mut place = &mut spec;
        for key in path.split('.') {
            place = place.as_object_mut().unwrap().entry(key).or_insert_with(|| json!({}));
        }
        *place = value.clone();
    }
    let mut cluster = CoordinationCluster::new("orders", serde_json::from_value(spec).unwrap());
    cluster.metadata.namespace = Some("shop".to_owned());
    let tagged = || cluster.spec.version.as_ref().map(|version| format!("coordd:{version}"));
    let asked = cluster.spec.image.clone().or_else(tagged);
    let members = Some(Members { replicas: 3, image: asked.unwrap_or_else(|| IMAGE.to_owned()) });
    let built = build(&cluster, &Ground { members, operator_namespace: OPERATOR_NAMESPACE.to_owned() });
    document(&built.stateful_set.unwrap().spec.unwrap().template)
}

#[test]
fn every_setting_applies_as_its_page_says() {
    let text = fs::read_to_string(package().join("tests/specs/everything.yaml")).unwrap();
    let everything: Value = serde_yaml::from_str(&text).unwrap();
    let before = template("", &Value::Null);
    for path in settings() {
        let pointer = format!("/spec/{}", path.replace('.', "/"));
        let value = everything.pointer(&pointer);
        let value = value.unwrap_or_else(|| panic!("set spec.{path} away from its default in specs/everything.yaml"));
        let changed = template(&path, value) != before;
        let claimed = applies(&path).unwrap_or_else(|| panic!("say in crd/applies.rs how spec.{path} applies"));
        assert_eq!(changed, claimed == Applies::Rolls, "spec.{path} = {value} is said to apply: {claimed}");
    }
}
