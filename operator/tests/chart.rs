//! The chart, as Helm renders it with several values.
//!
//! ```text
//!   defaults, ci/*-values.yaml ─► helm lint --strict, helm template ─► tests/golden/chart-*.yaml
//!   defaults ─► the same objects as `operator manifests`          bad values ─► refused by the schema
//! ```
//!
//! Rule: without Helm these tests say so in a line and pass, but never in CI. Helm is that of the tests' Kubernetes
//! (`COORDD_E2E_BIN`, or what `cargo e2e` has built once for the machine), or the one on the path.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use clap::Parser;
use operator::install::{Options, manifests};
use serde_json::Value;
use support::{assert_golden, golden, package, repository};

const CASES: [(&str, Option<&str>); 5] = [
    ("default", None),
    ("namespaces", Some("namespaces-values.yaml")),
    ("monitoring", Some("monitoring-values.yaml")),
    ("mirror", Some("mirror-values.yaml")),
    ("projections", Some("projections-values.yaml")),
];

fn chart() -> PathBuf {
    repository().join("charts/coordd-operator")
}

/// Built once a machine by `cargo e2e`, in a folder that is named by its recipe.
fn built_for_e2e() -> Option<PathBuf> {
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/coordd"));
    let cache = env::var_os("COORDD_CACHE").map(PathBuf::from).or_else(home)?;
    let folders = cache.read_dir().ok()?.flatten().map(|entry| entry.path().join("helm"));
    folders.filter(|helm| helm.is_file()).max()
}

fn helm() -> Option<PathBuf> {
    let given = env::var_os("COORDD_E2E_BIN").map(|bin| PathBuf::from(bin).join("helm"));
    let paths = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&paths).map(|dir| dir.join("helm")).find(|helm| helm.is_file());
    let found = given.filter(|helm| helm.is_file()).or(on_path).or_else(built_for_e2e);
    if found.is_none() {
        assert!(env::var_os("CI").is_none(), "no helm: COORDD_E2E_BIN names no folder with it");
        println!("skipped, no helm here: `cargo e2e build` builds it, or set COORDD_E2E_BIN to its folder");
    }
    found
}

/// Asks no cluster: which Kubernetes it is for is said here.
fn run(helm: &Path, args: &[&str], values: Option<&str>) -> Output {
    let mut command = Command::new(helm);
    command.args(args).args(["--kube-version", "v1.34.4"]).env("KUBECONFIG", "/dev/null");
    if let Some(values) = values {
        command.arg("--values").arg(chart().join("ci").join(values));
    }
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn rendered(helm: &Path, values: Option<&str>, more: &[&str]) -> String {
    rendered_of(&chart(), helm, values, more)
}

fn rendered_of(chart: &Path, helm: &Path, values: Option<&str>, more: &[&str]) -> String {
    let mut args = vec!["template", "coordd-operator", chart.to_str().unwrap(), "--namespace", "coordd-system"];
    args.extend(more);
    let output = run(helm, &args, values);
    assert!(output.status.success(), "{values:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn objects(text: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_yaml::from_multiple(text).unwrap();
    all.into_iter().filter(|object| !object.is_null()).collect()
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[test]
fn it_renders_what_is_committed_and_lints_without_a_word() {
    let Some(helm) = helm() else { return };
    for (name, values) in CASES {
        let lint = run(&helm, &["lint", "--strict", chart().to_str().unwrap()], values);
        assert!(lint.status.success() && !said(&lint).contains("[WARNING]"), "{name}: {}", said(&lint));
        let without_crds = rendered(&helm, values, &["--set", "crds.install=false"]);
        assert_golden(&golden(&format!("chart-{name}.yaml")), &without_crds);
    }
}

/// Less what the two ways to install may differ in: whose label it is that manages them, and the chart's own.
fn bare(mut object: Value) -> (String, Value) {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for label in ["app.kubernetes.io/managed-by", "app.kubernetes.io/version", "helm.sh/chart"] {
                    fields.remove(label);
                }
                fields.values_mut().for_each(strip);
                fields.retain(|_, value| !value.is_null());
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut object);
    let name = ["/kind", "/metadata/namespace", "/metadata/name"].map(|pointer| text(&object, pointer).to_owned());
    (name.join("/"), object)
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    options: Options,
}

#[test]
fn plain_manifests_are_the_chart_s_objects_with_its_default_values() {
    let Some(helm) = helm() else { return };
    let both_ways: [(&[&str], &[&str]); 3] = [
        (&[], &[]),
        (&["--set", "watchNamespaces={shop,stage}"], &["--watch-namespaces", "shop,stage"]),
        (&["--set", "projections.enabled=false"], &["--projections", "false"]),
    ];
    for (set, flags) in both_ways {
        let chart: BTreeMap<_, _> = objects(&rendered(&helm, None, &[set, &["--set", "crds.keep=false"]].concat()))
            .into_iter()
            .map(bare)
            .collect();
        let options = Line::parse_from(["operator"].iter().chain(flags)).options;
        let plain = manifests(&options).unwrap().iter().flat_map(|text| objects(text)).map(bare).collect::<Vec<_>>();
        let plain: BTreeMap<_, _> = plain.into_iter().filter(|(name, _)| !name.starts_with("Namespace/")).collect();
        let names = |all: &BTreeMap<String, Value>| all.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&plain), names(&chart));
        for (name, object) in &plain {
            assert_eq!(object, &chart[name], "{name}");
        }
    }
}

#[test]
fn the_chart_brings_the_definitions_of_this_release() {
    for (file, text) in operator::crd::manifests().unwrap() {
        assert_golden(&chart().join("files").join(file), &text);
    }
    let about = std::fs::read_to_string(chart().join("Chart.yaml")).unwrap();
    for line in ["\nversion: ", "\nappVersion: "].map(|key| format!("{key}{}\n", env!("CARGO_PKG_VERSION"))) {
        assert!(about.contains(&line), "Chart.yaml is of another release: {about}");
    }
    let Some(helm) = helm() else { return };
    let kept = objects(&rendered(&helm, None, &[]));
    let crds: Vec<_> = kept.iter().filter(|object| text(object, "/kind") == "CustomResourceDefinition").collect();
    assert!(crds.iter().all(|crd| text(crd, "/metadata/annotations/helm.sh~1resource-policy") == "keep"));
    let names: Vec<_> = crds.iter().map(|crd| text(crd, "/metadata/name")).collect();
    assert_eq!(names, ["coordinationclusters.coordd.dev", "serviceprojections.coordd.dev"]);
    let none = objects(&rendered(&helm, Some("namespaces-values.yaml"), &[]));
    assert!(none.iter().all(|object| text(object, "/kind") != "CustomResourceDefinition"));
}

#[test]
fn wrong_values_are_refused_with_the_name_of_the_value() {
    let Some(helm) = helm() else { return };
    let table = [
        ("replicas=0", "replicas"),
        ("replica=2", "replica"),
        ("watchNamespaces={Shop}", "watchNamespaces"),
        ("log.level=loud", "level"),
        ("projections.enabled=perhaps", "enabled"),
        ("projections.deniedCIDRs={everything}", "deniedCIDRs"),
        ("image.pullPolicy=Sometimes", "pullPolicy"),
        ("coordd.defaultVersion=latest", "defaultVersion"),
        ("coordd.versions={0.1.0}", "versions"),
        ("monitoring.serviceMonitor.interval=often", "interval"),
        ("monitoring.alerts.runbooks=here", "runbooks"),
    ];
    for (wrong, named) in table {
        let output = run(&helm, &["template", "x", chart().to_str().unwrap(), "--set", wrong], None);
        assert!(!output.status.success(), "{wrong} was taken");
        assert!(said(&output).contains(named), "{wrong}: {}", said(&output));
    }
}

fn rules(objects: &[Value]) -> Vec<&Value> {
    objects.iter().filter_map(|object| object.get("rules")).filter_map(Value::as_array).flatten().collect()
}

fn holds(rule: &Value, key: &str, word: &str) -> bool {
    rule.get(key).and_then(Value::as_array).is_some_and(|words| words.iter().any(|each| each == word))
}

#[test]
fn rights_have_no_wildcards_and_secrets_are_never_listed() {
    let Some(helm) = helm() else { return };
    for (name, values) in CASES {
        let objects = objects(&rendered(&helm, values, &[]));
        for rule in rules(&objects) {
            for key in ["apiGroups", "resources", "verbs"] {
                assert!(!holds(rule, key, "*"), "{name}: {rule}");
            }
            let lists = ["list", "watch", "delete"].iter().any(|verb| holds(rule, "verbs", verb));
            assert!(!(holds(rule, "resources", "secrets") && lists), "{name}: {rule}");
        }
    }
}

#[test]
fn without_projections_the_operator_asks_for_no_right_to_project() {
    let Some(helm) = helm() else { return };
    let of = |rule: &Value, resource: &str| holds(rule, "resources", resource);
    for (set, wanted) in [("true", true), ("false", false)] {
        let set = format!("projections.enabled={set}");
        let objects = objects(&rendered(&helm, None, &["--set", &set]));
        let mut roles = objects.iter().filter(|object| text(object, "/metadata/name") == "coordd-operator");
        let role = roles.find(|object| text(object, "/kind") == "ClusterRole").unwrap();
        let rules = role["rules"].as_array().unwrap();
        let asks = |what: &str| rules.iter().any(|rule| of(rule, what));
        assert_eq!([asks("endpointslices"), asks("serviceprojections"), asks("leases")], [wanted; 3]);
        assert_eq!(rules.iter().any(|rule| of(rule, "services") && holds(rule, "verbs", "delete")), wanted);
    }
}

#[test]
fn who_may_edit_a_namespace_may_write_projections_only_where_that_is_said() {
    let Some(helm) = helm() else { return };
    for (set, wanted) in [("projections.edit=false", false), ("projections.edit=true", true)] {
        let objects = objects(&rendered(&helm, None, &["--set", set]));
        let edit = objects.iter().find(|object| text(object, "/metadata/name") == "coordd-operator-edit").unwrap();
        let rules = edit["rules"].as_array().unwrap();
        assert_eq!(rules.iter().any(|rule| holds(rule, "resources", "serviceprojections")), wanted, "{set}");
        assert!(rules.iter().any(|rule| holds(rule, "resources", "coordinationclusters")), "{set}");
    }
}

#[test]
fn for_named_namespaces_there_are_no_rights_beyond_them() {
    let Some(helm) = helm() else { return };
    let objects = objects(&rendered(&helm, Some("namespaces-values.yaml"), &[]));
    let kinds: BTreeSet<_> = objects.iter().map(|object| text(object, "/kind")).collect();
    assert!(!kinds.contains("ClusterRole") && !kinds.contains("ClusterRoleBinding"), "{kinds:?}");
    let places = objects.iter().filter(|object| text(object, "/kind") == "Role");
    let places: BTreeSet<_> = places.map(|role| text(role, "/metadata/namespace")).collect();
    assert_eq!(places, BTreeSet::from(["coordd-system", "shop", "stage"]));
}

#[test]
fn there_are_at_most_eight_alerts_each_with_a_page_that_says_what_to_do() {
    let pages = package().join("docs/alerts");
    let Some(helm) = helm() else { return };
    let objects = objects(&rendered(&helm, Some("monitoring-values.yaml"), &[]));
    let rules = objects.iter().find(|object| text(object, "/kind") == "PrometheusRule").unwrap();
    let alerts = rules.pointer("/spec/groups/0/rules").and_then(Value::as_array).unwrap();
    assert!((1..=8).contains(&alerts.len()));
    let mut known = BTreeSet::new();
    for alert in alerts {
        let name = text(alert, "/alert");
        let runbook = text(alert, "/annotations/runbook_url");
        assert_eq!(runbook, format!("https://runbooks.example.com/coordd/{name}.md"));
        let page = std::fs::read_to_string(pages.join(format!("{name}.md"))).unwrap_or_default();
        assert!(page.starts_with(&format!("# {name}\n")), "{name} has no page");
        assert!(page.contains("\n## What to do\n"), "the page of {name} does not say what to do");
        assert!(!text(alert, "/annotations/summary").is_empty() && !text(alert, "/for").is_empty(), "{name}");
        known.insert(format!("{name}.md"));
    }
    let there = pages.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(there.collect::<BTreeSet<_>>(), known, "a page for each alert and no other");
    let silent = rendered(&helm, None, &[]);
    assert!(!silent.contains("PrometheusRule") && !silent.contains("Monitor"), "they are behind a switch");
}

/// The names in the arm of `Reason::weight` that ends in `Stuck`.
fn reasons_for_a_person() -> Vec<String> {
    let source = std::fs::read_to_string(package().join("src/plan/hold.rs")).unwrap();
    let before = source.split_once("=> Weight::Stuck").unwrap().0;
    let arm = before.rsplit_once("=> Weight::").unwrap().1;
    let name = |rest: &str| rest.chars().take_while(char::is_ascii_alphanumeric).collect();
    arm.split("Reason::").skip(1).map(name).collect()
}

#[test]
fn whatever_needs_a_person_is_on_the_page_of_its_alert() {
    let page = |name: &str| std::fs::read_to_string(package().join("docs/alerts").join(name)).unwrap();
    let stuck = page("CoorddStuck.md");
    let reasons = reasons_for_a_person();
    assert!(reasons.len() > 10, "{reasons:?}");
    for reason in reasons.iter().filter(|reason| *reason != "QuorumLost") {
        assert!(stuck.contains(&format!("`{reason}`")), "{reason} is not on the page");
    }
}

/// The notes, which Helm shows only when it installs: here as the one object of a copy of the chart.
fn notes(helm: &Path, values: &str) -> String {
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chart-with-notes");
    let templates = copy.join("templates");
    std::fs::create_dir_all(&templates).unwrap();
    for file in ["Chart.yaml", "values.yaml", "values.schema.json", "templates/_helpers.tpl"] {
        std::fs::copy(chart().join(file), copy.join(file)).unwrap();
    }
    let notes = std::fs::read_to_string(chart().join("templates/NOTES.txt")).unwrap();
    let defined = format!("{{{{- define \"notes\" -}}}}\n{notes}\n{{{{- end -}}}}\n");
    std::fs::write(templates.join("_notes.tpl"), defined).unwrap();
    let object = "apiVersion: v1\nkind: Notes\ntext: |\n{{ include \"notes\" . | indent 2 }}\n";
    std::fs::write(templates.join("notes.yaml"), object).unwrap();
    let objects = objects(&rendered_of(&copy, helm, Some(values), &[]));
    text(&objects[0], "/text").to_owned()
}

#[test]
fn the_notes_say_what_to_do_next() {
    let Some(helm) = helm() else { return };
    let notes = notes(&helm, "namespaces-values.yaml");
    for word in ["rollout status", "kubectl apply -n shop", "kubectl wait -n shop --for=condition=Ready", "readNodes"] {
        assert!(notes.contains(word), "{word} is missing in {notes}");
    }
}

#[test]
fn endpoints_may_be_at_nodes_where_the_values_say_so() {
    let Some(helm) = helm() else { return };
    for (set, allowed) in [(vec![], false), (vec!["--set", "projections.allowNodeAddresses=true"], true)] {
        let text = rendered(&helm, None, &set);
        assert_eq!(text.contains("COORDD_OPERATOR_PROJECTION_ALLOW_NODE_ADDRESSES"), allowed, "{set:?}");
    }
}
