//! The references of the resources for people, written from their schemas: `operator/docs/reference.md` and
//! `operator/docs/projection-reference.md`.
//!
//! Rule: nothing is said here that the schema does not say. Reason: `kubectl explain` and this page must not differ.

use std::fmt::Write;

use kube::CustomResourceExt;
use serde_json::Value;

use super::{Applies, CoordinationCluster, ServiceProjection, applies};

const HEAD: &str = "\
# CoordinationCluster

`coordd.dev/v1alpha1`, short name `cc`, namespaced. `spec: {}` is a good ensemble of three members. The same is shown
by `kubectl explain cc.spec`.

What is *live* takes effect without a restart; what *rolls* restarts the members one by one, each only while the
others that are well are a majority. A spec that cannot be carried out is refused when it is applied; what only the
operator can see (an unknown version, a downgrade) is said in the conditions, and the members keep what they have.

This page is written from `operator/src/crd`: change that, then `REWRITE=1 cargo test -p operator --lib crd`.
";

const PROJECTION_HEAD: &str = "\
# ServiceProjection

`coordd.dev/v1alpha1`, short name `sp`, namespaced. What it does and what to do when it does not:
[projections.md](projections.md). The same is shown by `kubectl explain sp.spec`. All of it is live, but for what says
that it cannot be changed.

This page is written from `operator/src/crd/projection`: change that, then `REWRITE=1 cargo test -p operator --lib crd`.
";

const ORDERS: &str = "
## Orders
A few deeds are never done by the operator's own judgement. They are ordered by an annotation on the cluster:

- **`coordd.dev/recover-quorum: survivor=POD ensemble=ID confirm=data-loss`**: a majority of the voters is lost for
  good; the named member goes on alone as a new ensemble, and the others join it empty. What only the lost ones had is
  lost. Refused while there is a quorum. Void once the ensemble that it names is given up.
- **`coordd.dev/replace-member: ID`**: the member of this id (`status.members[].id`) gets a new volume and joins anew.
  Refused while the others are no majority, and for a member that cannot be asked.
- **`coordd.dev/adopt-ensemble: ID`**: volumes that were kept from a deleted cluster of this name hold this ensemble;
  go on with it instead of founding a new one. To be given before the first pod.
";

/// The page.
///
/// # Errors
/// When the schema cannot be written as JSON.
pub fn page() -> Result<String, serde_json::Error> {
    let mut out = whole(HEAD, serde_json::to_value(CoordinationCluster::crd())?, applies);
    out.push_str(ORDERS);
    Ok(out)
}

/// The page of ServiceProjection.
///
/// # Errors
/// When the schema cannot be written as JSON.
pub fn projection_page() -> Result<String, serde_json::Error> {
    Ok(whole(PROJECTION_HEAD, serde_json::to_value(ServiceProjection::crd())?, |_| None))
}

/// How a change of the field at a path applies.
type How = fn(&str) -> Option<Applies>;

fn whole(head: &str, crd: Value, how: How) -> String {
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
    let mut out = head.to_owned();
    for part in ["spec", "status"] {
        let _ = write!(out, "\n## {part}\n");
        fields(&schema[part], part, how, &mut out);
    }
    out
}

/// Lists whose items have fields of ours.
const OUR_LISTS: [&str; 4] =
    ["status.members", "status.rejections", "spec.target.service.ports", "spec.target.leader.ports"];

fn fields(schema: &Value, path: &str, applies: How, out: &mut String) {
    let Some(properties) = schema["properties"].as_object() else { return };
    for (name, field) in properties {
        let path = format!("{path}.{name}");
        let text = field["description"].as_str().unwrap_or_default().replace('\n', " ");
        let how = path.strip_prefix("spec.").filter(|_| field["properties"].is_null()).and_then(applies);
        let how = how.map_or_else(String::new, |how| format!("; {how}"));
        let _ = writeln!(out, "- **`{path}`** ({}{how}): {text}", kind(field));
        for rule in field["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let _ = writeln!(out, "  Refused otherwise: {}.", rule["message"].as_str().unwrap_or_default());
        }
        // Parts of Kubernetes' own types are described there.
        if field["items"].is_null() || OUR_LISTS.contains(&path.as_str()) {
            fields(if field["items"].is_null() { field } else { &field["items"] }, &path, applies, out);
        }
    }
}

/// The type in a word, and the words that are allowed.
fn kind(field: &Value) -> String {
    if let Some(words) = field["enum"].as_array() {
        let words = words.iter().filter_map(Value::as_str);
        return words.collect::<Vec<_>>().join(", ");
    }
    if field["x-kubernetes-int-or-string"] == Value::Bool(true) {
        return "quantity".to_owned();
    }
    match field["type"].as_str() {
        Some("array") => "list".to_owned(),
        Some("object") if field["properties"].is_null() => "map".to_owned(),
        Some(kind) => kind.to_owned(),
        None => "any".to_owned(),
    }
}
