//! What is asked: a route, a path in the tree and a query, and the type of its answer.
//!
//! Rule: a question is built from znode paths and plain values; how they are written in a URL is nobody else's
//! business.

use std::fmt::Write;
use std::marker::PhantomData;
use std::time::Duration;

use serde::Serialize;

use crate::discovery::{ChildList, ConfigTree, Format, InstanceState, LeaderView, ServiceList, ServiceView, ZnodeView};

/// One question to the discovery API; `T` is what answers it.
#[derive(Debug)]
pub struct Question<T> {
    route: &'static str,
    path: String,
    query: Vec<(String, String)>,
    answer: PhantomData<fn() -> T>,
}

impl<T> Clone for Question<T> {
    fn clone(&self) -> Self {
        Question { route: self.route, path: self.path.clone(), query: self.query.clone(), answer: PhantomData }
    }
}

/// Where in a registration that is any JSON the facts stand: paths such as `$.net[0].host`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JsonPaths {
    pub address: Option<String>,
    pub port: Option<String>,
    pub ready: Option<String>,
    pub zone: Option<String>,
    pub weight: Option<String>,
}

impl<T> Question<T> {
    fn new(route: &'static str, path: impl Into<String>) -> Question<T> {
        Question { route, path: path.into(), query: Vec::new(), answer: PhantomData }
    }

    fn and(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Answered only after a quorum has confirmed that the member is not behind.
    #[must_use]
    pub fn linearizable(self) -> Self {
        self.and("consistency", "linearizable")
    }

    /// The znode that is asked about.
    pub fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn newer_than(&self, zxid: i64, wait: Duration) -> Question<T> {
        self.clone().and("after", zxid.to_string()).and("wait", format!("{}ms", wait.as_millis()))
    }

    /// Path and query of the URL.
    pub(super) fn url(&self) -> String {
        let mut url = format!("/v1/{}", self.route);
        encode(self.path.trim_end_matches('/'), "/", &mut url);
        for (at, (name, value)) in self.query.iter().enumerate() {
            url.push(if at == 0 { '?' } else { '&' });
            encode(name, "", &mut url);
            url.push('=');
            encode(value, "", &mut url);
        }
        url
    }
}

impl Question<ServiceView> {
    /// The instances registered below `path`.
    pub fn service(path: impl Into<String>) -> Self {
        Question::new("services", path)
    }

    /// How they are registered, where that is known; else the content decides.
    #[must_use]
    pub fn format(self, format: Format) -> Self {
        self.and("format", word(format))
    }

    /// Of `Format::Json`, which this sets.
    #[must_use]
    pub fn json(self, paths: JsonPaths) -> Self {
        let JsonPaths { address, port, ready, zone, weight } = paths;
        let facts = [("address", address), ("port", port), ("ready", ready), ("zone", zone), ("weight", weight)];
        let given = facts.into_iter().filter_map(|(fact, path)| Some((format!("{fact}_path"), path?)));
        given.fold(self.format(Format::Json), |question, (name, path)| question.and(name, path))
    }

    /// Only those in this state, or another one that is named.
    #[must_use]
    pub fn state(self, state: InstanceState) -> Self {
        self.and("state", word(state))
    }

    /// Only those in this zone, or another one that is named.
    #[must_use]
    pub fn zone(self, zone: impl Into<String>) -> Self {
        self.and("zone", zone)
    }

    /// Only those that say so.
    #[must_use]
    pub fn metadata(self, key: &str, value: impl Into<String>) -> Self {
        self.and(format!("metadata.{key}"), value)
    }
}

impl Question<ServiceList> {
    /// The services below a base path.
    pub fn services(path: impl Into<String>) -> Self {
        Question::new("services", path).and("list", "true")
    }
}

impl Question<ConfigTree> {
    /// The subtree at `path` as keys and values.
    pub fn config(path: impl Into<String>) -> Self {
        Question::new("config", path).and("recurse", "json")
    }
}

impl Question<()> {
    /// One znode's bytes, which no type tells.
    pub(super) fn bytes(path: &str) -> Question<()> {
        Question::new("config", path)
    }
}

impl Question<LeaderView> {
    /// Who leads the election at `path`.
    pub fn leader(path: impl Into<String>) -> Self {
        Question::new("leader", path)
    }
}

impl Question<ZnodeView> {
    /// Data and Stat.
    pub fn znode(path: impl Into<String>) -> Self {
        Question::new("znodes", path)
    }
}

impl Question<ChildList> {
    /// The names of the children.
    pub fn children(path: impl Into<String>) -> Self {
        Question::new("znodes", path).and("children", "true")
    }
}

/// The word that serde writes for a value.
fn word(value: impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn encode(text: &str, also: &str, url: &mut String) {
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || also.as_bytes().contains(&byte);
        if plain {
            url.push(char::from(byte));
        } else {
            let _a_string_takes_all = write!(url, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_written_as_the_api_reads_them() {
        let paths = JsonPaths { address: Some("$.a[0].b".to_owned()), ..JsonPaths::default() };
        let table = [
            (Question::service("/").url(), "/v1/services"),
            (Question::service("/services/orders").url(), "/v1/services/services/orders"),
            (Question::service("/a b/50%/ü?&#").url(), "/v1/services/a%20b/50%25/%C3%BC%3F%26%23"),
            (Question::service("/s").format(Format::ServerSet).url(), "/v1/services/s?format=serverset"),
            (Question::service("/s").json(paths).url(), "/v1/services/s?format=json&address_path=%24.a%5B0%5D.b"),
            (
                Question::service("/s").state(InstanceState::Up).zone("a&b").metadata("k=", "v v").url(),
                "/v1/services/s?state=up&zone=a%26b&metadata.k%3D=v%20v",
            ),
            (Question::services("/s").url(), "/v1/services/s?list=true"),
            (Question::config("/app").url(), "/v1/config/app?recurse=json"),
            (Question::leader("/app").linearizable().url(), "/v1/leader/app?consistency=linearizable"),
            (
                Question::znode("/app").newer_than(7, Duration::from_millis(1500)).url(),
                "/v1/znodes/app?after=7&wait=1500ms",
            ),
            (Question::children("/").url(), "/v1/znodes?children=true"),
        ];
        for (url, expected) in table {
            assert_eq!(url, expected);
        }
    }
}
