//! The container's environment: coordd's settings under coordd's own names, then what the user adds.
//!
//! ```text
//!   config.tickMs: 3000 ─► COORDD_TICK_MS=3000        absent ─► nothing: coordd's own default
//! ```
//!
//! Rule: every field of `config` becomes the variable of its name, in the order of names; a variable of the user never
//! takes the place of one of ours. Reason: a field that is added later needs no line here, and one order for ever means
//! that no release restarts members by sorting anew.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, ObjectFieldSelector};
use serde_json::Value;

use crate::crd::{Config, CoordinationClusterSpec};
use crate::names::file;

pub(super) const POD_NAME: &str = "POD_NAME";

/// Here and not among the arguments, so that `kubectl exec … /coordd admin` finds the token too.
const SECRETS: [(&str, &str); 2] =
    [("COORDD_ADMIN_TOKEN_FILE", file::ADMIN_TOKEN), ("COORDD_PEER_SECRET_FILE", file::PEER_SECRET)];

pub(super) fn environment(spec: &CoordinationClusterSpec) -> Vec<EnvVar> {
    let secrets = SECRETS.map(|(name, key)| (name.to_owned(), format!("{}/{key}", file::SECRETS_DIR)));
    let told = secrets.into_iter().chain(variables(&spec.config));
    let mut all = vec![pod_name()];
    all.extend(told.map(|(name, value)| EnvVar { name, value: Some(value), value_from: None }));
    for added in &spec.pod_template.env {
        if all.iter().all(|ours| ours.name != added.name) {
            all.push(added.clone());
        }
    }
    all
}

fn pod_name() -> EnvVar {
    let field = ObjectFieldSelector { api_version: Some("v1".to_owned()), field_path: "metadata.name".to_owned() };
    let source = EnvVarSource { field_ref: Some(field), ..EnvVarSource::default() };
    EnvVar { name: POD_NAME.to_owned(), value: None, value_from: Some(source) }
}

fn variables(config: &Config) -> BTreeMap<String, String> {
    let Ok(Value::Object(fields)) = serde_json::to_value(config) else { return BTreeMap::new() };
    let set = fields.into_iter().filter(|(_, value)| !value.is_null());
    set.map(|(field, value)| (variable(&field), text(&value))).collect()
}

/// `maxFrameBytes` → `COORDD_MAX_FRAME_BYTES`.
fn variable(field: &str) -> String {
    let mut name = "COORDD_".to_owned();
    for letter in field.chars() {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without what is always there.
    fn added_by(spec: Value) -> Vec<(String, String)> {
        let spec: CoordinationClusterSpec = serde_json::from_value(spec).unwrap();
        let all = environment(&spec);
        let names: Vec<_> = all.iter().take(3).map(|variable| variable.name.as_str()).collect();
        assert_eq!(names, ["POD_NAME", "COORDD_ADMIN_TOKEN_FILE", "COORDD_PEER_SECRET_FILE"]);
        all.into_iter().skip(3).map(|variable| (variable.name, variable.value.unwrap())).collect()
    }

    fn owned<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn settings_are_told_under_coordds_own_names_and_what_is_absent_is_left_to_it() {
        assert_eq!(added_by(serde_json::json!({})), owned([]));
        let spec = serde_json::json!({"config": {
            "tickMs": 3000, "readOnlyMode": true, "maxFrameBytes": "4MiB", "fourLetterWords": "*"
        }});
        let expected = owned([
            ("COORDD_FOUR_LETTER_WORDS", "*"),
            ("COORDD_MAX_FRAME_BYTES", "4MiB"),
            ("COORDD_READ_ONLY_MODE", "true"),
            ("COORDD_TICK_MS", "3000"),
        ]);
        assert_eq!(added_by(spec), expected);
    }

    #[test]
    fn a_variable_of_the_user_is_added_behind_and_never_replaces_one_of_ours() {
        let env = serde_json::json!([{"name": "POD_NAME", "value": "other"}, {"name": "TZ", "value": "UTC"}]);
        assert_eq!(added_by(serde_json::json!({"podTemplate": {"env": env}})), owned([("TZ", "UTC")]));
    }

    #[test]
    fn every_setting_is_one_of_coordds_configuration_page() {
        let page = include_str!("../../../coordd/docs/configuration.md");
        let schema = schemars::schema_for!(Config);
        let fields = schema.get("properties").and_then(Value::as_object).unwrap();
        assert!(fields.len() > 10);
        for field in fields.keys() {
            let name = variable(field);
            assert!(page.contains(&format!("`{name}`")), "config.{field} is no setting of coordd: {name}");
        }
    }
}
