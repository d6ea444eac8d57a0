//! The public port's description; `docs/openapi/http.json` is this, committed.

use utoipa::OpenApi;
use utoipa::openapi;

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
    components(schemas(coordd_api::discovery::ServiceList, coordd_api::discovery::ChildList))
)]
struct Document;

pub(crate) fn document() -> openapi::OpenApi {
    Document::openapi()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_documents_are_what_is_served() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi");
        for (name, document) in [("http", document()), ("admin", crate::admin::openapi::document())] {
            let path = folder.join(name).with_extension("json");
            let text = document.to_pretty_json().unwrap() + "\n";
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
