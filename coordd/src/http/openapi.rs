//! The public port's description; `docs/openapi/http.json` is this, committed.

use serde_json::Value;
use utoipa::OpenApi;

use super::{commands, discovery, health, metrics};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "coordd",
        description = "Health, metrics, the ensemble, and what is registered in it. Changes no state."
    ),
    paths(
        health::livez,
        health::readyz,
        metrics::metrics,
        super::ensemble,
        commands::run,
        discovery::services,
        discovery::config,
        discovery::leader,
        discovery::znodes
    ),
    components(schemas(
        coordd_api::discovery::ServiceList,
        coordd_api::discovery::ChildList,
        coordd_api::discovery::ConfigValue,
        coordd_api::discovery::Problem
    ))
)]
struct Document;

pub(crate) fn document() -> Value {
    // Plain maps, numbers and strings: there is no way to fail.
    let mut document = serde_json::to_value(Document::openapi()).unwrap_or_default();
    discovery::complete(&mut document);
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_documents_are_what_is_served() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi");
        let admin = serde_json::to_value(crate::admin::openapi::document()).unwrap();
        for (name, document) in [("http", document()), ("admin", admin)] {
            let path = folder.join(name).with_extension("json");
            let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
            if std::env::var_os("REWRITE").is_some() {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&path, &text).unwrap();
            }
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                committed == text,
                "docs/openapi/{name}.json is out of date: REWRITE=1 cargo test -p coordd --lib openapi"
            );
        }
    }
}
