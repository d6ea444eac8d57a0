//! `versus bare-http`: an axum handler that sends bytes which it holds, and does nothing else.
//!
//! Rule: the same library, the same headers, one worker, as in the member that is measured against it. Reason: what is
//! left between the two is what discovery does.

use std::path::PathBuf;

use anyhow::Result;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::routing::get;
use clap::Args;

use super::service::{PATH, local};

#[derive(Debug, Clone, Args)]
pub struct BareOptions {
    #[arg(long)]
    pub port: u16,
    /// A file with headers, one a line, an empty line, and the body
    #[arg(long)]
    pub answer: PathBuf,
}

/// Serves until it is killed.
pub fn serve(options: &BareOptions) -> Result<()> {
    let text = std::fs::read_to_string(&options.answer)?;
    let (head, body) = text.split_once("\n\n").unwrap_or(("", &text));
    let mut headers = HeaderMap::new();
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        headers.insert(name.parse::<HeaderName>()?, HeaderValue::from_str(value)?);
    }
    let body = Bytes::copy_from_slice(body.as_bytes());
    let handler = get(move || std::future::ready((headers.clone(), Body::from(body.clone()))));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(local(options.port)).await?;
        Ok(axum::serve(listener, Router::new().route(PATH, handler)).await?)
    })
}
