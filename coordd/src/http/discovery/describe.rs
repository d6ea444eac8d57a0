//! What the description of this port says of discovery beyond the types of its answers: every parameter, header and
//! status of each route.
//!
//! ```text
//!   of one route      /v1/services: format, list, state, …        its answers, by their schemas
//!   of all of them    after, wait, consistency, If-None-Match     304, 400, 401, 404, 405, 414, 422, 431, 503
//! ```
//!
//! Rule: a route without a path is the root's, so each is described twice; whatever `asked` understands stands here,
//! and a test asks both. Reason: clients are generated from it, and it is what fuzzers hold the answers to.

use serde_json::{Map, Value, json};

use super::asked::Route;

const FORMATS: [&str; 8] = ["auto", "curator", "serverset", "dubbo", "nerve", "kafka", "hostport", "json"];
const WAIT: &str = "^([0-9]{1,5}ms|[0-9]{1,2}s|[1-2][0-9]{2}s|[0-5]m)$";

fn query(name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "query", "required": false, "description": description, "schema": schema })
}

fn header(name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "header", "required": false, "description": description, "schema": schema })
}

fn words(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

fn zxid() -> Value {
    json!({ "type": "integer", "format": "int64", "minimum": 0, "maximum": 9_007_199_254_740_991_i64 })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// What is asked of one route alone.
fn parameters(route: Route) -> Vec<Value> {
    let flag = || words(&["", "true", "false"]);
    let of_json = |name: &str| {
        query(name, "Of format=json: a path such as $.net[0].host", json!({ "type": "string", "maxLength": 256 }))
    };
    match route {
        Route::Services => {
            let mut all = vec![
                query("format", "How registrations are written; decided by content without it", words(&FORMATS)),
                query("list", "The services below a base path instead, and nothing else: ServiceList", flag()),
                query(
                    "state",
                    "Instances in one of these states",
                    json!({ "type": "array", "items": schema("InstanceState") }),
                ),
                query("zone", "Instances in one of these zones", json!({ "type": "array", "items": text() })),
            ];
            let paths = ["address_path", "port_path", "ready_path", "zone_path", "weight_path"];
            all.extend(paths.map(of_json));
            all
        }
        Route::Config => vec![
            query("type", "Media type that the znode's bytes are sent as; guessed without it", text()),
            query(
                "recurse",
                "The subtree as keys and values; its value is a shorter `as`",
                words(&["", "true", "false", "json", "properties", "env"]),
            ),
            query(
                "as",
                "With recurse: JSON, Java's properties, or lines for a shell; comments name what is left out of lines",
                words(&["json", "properties", "env"]),
            ),
        ],
        Route::Leader => Vec::new(),
        Route::Znodes => vec![query("children", "Names of the children instead of data: ChildList", flag())],
    }
}

fn common_parameters() -> Vec<Value> {
    vec![
        query("after", "Nothing older than this zxid is answered; with wait, nothing but what is newer", zxid()),
        query(
            "wait",
            "How long to wait for an answer that the caller does not have; at most 5m",
            json!({ "type": "string", "pattern": WAIT }),
        ),
        query(
            "consistency",
            "linearizable: everything acknowledged before is in it; stale: also from a member that only reads",
            words(&["local", "linearizable", "stale"]),
        ),
        header("If-None-Match", "ETags of what the caller has; with wait not *, and nothing older is answered", text()),
        header("Last-Event-ID", "Of a stream: as after", json!({ "type": "string", "pattern": "^[0-9]{1,15}$" })),
    ]
}

/// The bodies of a success.
fn contents(route: Route) -> Value {
    let one_of =
        |names: &[&str]| json!({ "schema": { "oneOf": names.iter().map(|name| schema(name)).collect::<Vec<_>>() } });
    let mut contents = match route {
        Route::Services => json!({ "application/json": one_of(&["ServiceView", "ServiceList"]) }),
        Route::Leader => json!({ "application/json": { "schema": schema("LeaderView") } }),
        Route::Znodes => json!({ "application/json": one_of(&["ZnodeView", "ChildList"]) }),
        // A znode's own bytes may be JSON of any form.
        Route::Config => json!({ "application/json": {}, "text/plain": {}, "application/octet-stream": {}, "*/*": {} }),
    };
    contents["text/event-stream"] = json!({ "schema": text() });
    contents
}

fn responses(route: Route) -> Value {
    let at = json!({ "description": "The zxid of the state that was read", "schema": zxid() });
    let tag = json!({ "description": "The newest change that the answer rests on; who asked", "schema": text() });
    let of_absence = "To wait by: which state has nothing here, or the ancestor's newest change; who asked";
    let of_absence = json!({ "description": of_absence, "schema": text() });
    let stale = json!({ "description": "`stale`, where no quorum confirms it", "schema": words(&["stale"]) });
    let retry = json!({ "description": "Seconds", "schema": { "type": "integer" } });
    let success = json!({ "Coordd-Zxid": at, "Coordd-Consistency": stale, "ETag": tag });
    let problem = |description: &str, headers: Value| {
        let content = json!({ "application/problem+json": { "schema": schema("Problem") } });
        json!({ "description": description, "headers": headers, "content": content })
    };
    json!({
        "200": { "description": success_of(route), "headers": success.clone(), "content": contents(route) },
        "304": { "description": "The caller has it, or the wait ended without news", "headers": success },
        "400": problem("Not understood", json!({})),
        "401": problem("The caller may not read it, or the credentials are not understood", json!({})),
        "404": problem("There is no such znode; with an ETag to wait by", json!({ "ETag": of_absence })),
        "405": problem("Not a method of this path", json!({})),
        "414": problem("The path is too long", json!({})),
        "422": problem("Too many znodes or bytes for one answer, or two znodes have one key", json!({})),
        "431": { "description": "The request's head is longer than 32 KiB" },
        "503": problem("Not now: not serving, behind, busy, being upgraded", json!({ "Retry-After": retry })),
    })
}

fn success_of(route: Route) -> &'static str {
    match route {
        Route::Services => "The instances, or with list the services; as a stream: each answer as an event",
        Route::Config => "The znode's bytes; with recurse ConfigTree or lines; as a stream: ConfigTree or ConfigValue",
        Route::Leader => "Leader, candidates and token; as a stream: each answer as an event",
        Route::Znodes => "Data and Stat, or with children their names; as a stream: each answer as an event",
    }
}

fn operation(route: Route, of_path: bool, mut operation: Map<String, Value>) -> Value {
    let mut all = parameters(route);
    all.extend(common_parameters());
    if of_path {
        let path = json!({ "type": "string", "minLength": 1 });
        let about = "The znode's path without its first slash; URL-encoded, % in its name as %25";
        all.push(json!({ "name": "path", "in": "path", "required": true, "description": about, "schema": path }));
    } else if let Some(Value::String(id)) = operation.get_mut("operationId") {
        id.push_str("_of_root");
    }
    operation.insert("parameters".to_owned(), all.into());
    operation.insert("responses".to_owned(), responses(route));
    operation.insert("security".to_owned(), json!([{}, { "basic": [] }]));
    if route == Route::Services {
        let more = "Each `metadata.KEY=VALUE` in the query keeps the instances that have VALUE under KEY.";
        operation.insert("description".to_owned(), more.into());
    }
    operation.into()
}

/// Completes what the handlers say of themselves.
pub(in crate::http) fn complete(document: &mut Value) {
    document["components"]["securitySchemes"]["basic"] =
        json!({ "type": "http", "scheme": "basic", "description": "User and password of ZooKeeper's digest scheme" });
    for route in Route::ALL {
        let path = format!("{}/{{path}}", route.prefix());
        let said = document["paths"][&path]["get"].as_object().cloned().unwrap_or_default();
        document["paths"][route.prefix()] = json!({ "get": operation(route, false, said.clone()) });
        document["paths"][path] = json!({ "get": operation(route, true, said) });
    }
}
