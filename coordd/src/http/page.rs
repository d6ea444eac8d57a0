//! `/`: the ensemble, the tree and what is registered in it, for a person with a browser.
//!
//! ```text
//!   /            index.html, with this member's name        /page/…   its style and modules (the folder beside this)
//!                     └─ main.js ─ ensemble, tree, views ─ live.js ──► /v1/…, /readyz: the API that programs use
//! ```
//!
//! Rule: the page is a program of the public API like any other; it is given nothing that others are not, changes
//! nothing, and loads nothing from elsewhere, which its Content-Security-Policy says to the browser. Reason: what
//! znodes contain is written by strangers.

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Http;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const HEADERS: [(HeaderName, &str); 3] =
    [(CONTENT_SECURITY_POLICY, POLICY), (X_CONTENT_TYPE_OPTIONS, "nosniff"), (CACHE_CONTROL, "no-cache")];

const INDEX: &str = include_str!("page/index.html");
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Name, media type, content.
const FILES: [(&str, &str, &str); 9] = [
    ("icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
    ("style.css", "text/css; charset=utf-8", include_str!("page/style.css")),
    ("main.js", SCRIPT, include_str!("page/main.js")),
    ("dom.js", SCRIPT, include_str!("page/dom.js")),
    ("ensemble.js", SCRIPT, include_str!("page/ensemble.js")),
    ("live.js", SCRIPT, include_str!("page/live.js")),
    ("place.js", SCRIPT, include_str!("page/place.js")),
    ("tree.js", SCRIPT, include_str!("page/tree.js")),
    ("views.js", SCRIPT, include_str!("page/views.js")),
];

pub(super) fn routes() -> Router<Http> {
    let router = Router::new().route("/", get(index));
    FILES.into_iter().fold(router, |router, (name, media, content)| {
        router.route(&format!("/page/{name}"), get(move || async move { file(media, content) }))
    })
}

async fn index(State(http): State<Http>) -> Response {
    let name = escape(&http.consensus.status().borrow().name);
    file("text/html; charset=utf-8", INDEX.replace("{member}", &name))
}

fn file(media: &'static str, content: impl IntoResponse) -> Response {
    ([(CONTENT_TYPE, media)], HEADERS, content).into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_the_page_names_of_its_own_is_served() {
        let all: Vec<&str> = FILES.iter().map(|(name, ..)| *name).collect();
        let texts = FILES.iter().map(|(.., content)| *content).chain([INDEX]);
        let named = |text: &'static str| {
            let beside = text.split("from \"./").skip(1);
            beside.chain(text.split("\"/page/").skip(1)).filter_map(|rest| rest.split('"').next())
        };
        let named: Vec<&str> = texts.flat_map(named).collect();
        assert!(named.len() > 12, "{named:?}");
        for name in named {
            assert!(all.contains(&name), "{name} is named and not served");
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/page");
        assert_eq!(folder.read_dir().unwrap().count(), FILES.len() + 1, "a file of the page is not served");
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere_nor_written_in_line_nor_made_of_text() {
        for (name, _, content) in FILES.into_iter().chain([("index.html", "", INDEX)]) {
            let content = content.replace("http://www.w3.org/2000/svg", "").replace("`http://${", "");
            for word in ["http://", "https://", "<script>", " style=", " onclick=", "innerHTML", "eval(", "javascript:"]
            {
                assert!(!content.contains(word), "{name} has {word}");
            }
        }
    }

    #[test]
    fn names_are_text_wherever_they_stand() {
        assert_eq!(escape("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
    }
}
