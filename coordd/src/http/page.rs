//! `/`: what this port offers, for a person with a browser.

use axum::extract::State;
use axum::response::Html;

use super::Http;

const LINKS: &[(&str, &str)] = &[
    ("/v1/ensemble", "members, roles, leader, client addresses"),
    ("/v1/znodes?children", "the tree; /v1/services, /v1/config and /v1/leader read what is registered in it"),
    ("/readyz", "whether clients are served here, and why not"),
    ("/livez", "whether the process runs"),
    ("/metrics", "figures for Prometheus"),
    ("/commands", "the commands of ZooKeeper's AdminServer"),
    ("/openapi.json", "this port, described"),
];

pub(super) async fn index(State(http): State<Http>) -> Html<String> {
    let status = http.consensus.status().borrow().clone();
    let state = status.not_serving.as_deref().unwrap_or("serving");
    let links: String =
        LINKS.iter().map(|(path, about)| format!("<li><a href=\"{path}\">{path}</a> {about}</li>\n")).collect();
    Html(format!(
        "<!doctype html><meta charset=utf-8><title>coordd {name}</title>\n\
         <h1>coordd member {name}</h1>\n<p>{state}</p>\n<ul>\n{links}</ul>\n",
        name = escape(&status.name),
        state = escape(state),
    ))
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
