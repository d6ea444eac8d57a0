//! Quotas, which are nothing but znodes that a client writes: `/zookeeper/quota/PATH/zookeeper_limits` and `…_stats`.
//!
//! Rule: the text is that of ZooKeeper's StatsTrack, and no two quotas lie on one path to the root. Reason: servers
//! parse the text, and count each write for one quota only.

use coordd_proto::{AclListRef, Create, CreateMode, ErrorCode, OpCode, Reply, Request, SetData};
use serde_json::{Value, json};

use super::super::client::{CallError, Client, Keep};
use super::run::{Result, ask, child, reply, subtree};
use super::verb::Limits;
use super::{Shown, text};

const ROOT: &str = "/zookeeper/quota";
const LIMITS: &str = "zookeeper_limits";
const STATS: &str = "zookeeper_stats";
/// A limit that is none.
const OFF: i64 = -1;

/// Soft and hard limits, or usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Track {
    count: i64,
    bytes: i64,
    hard_count: i64,
    hard_bytes: i64,
}

impl Track {
    const NONE: Track = Track { count: OFF, bytes: OFF, hard_count: OFF, hard_bytes: OFF };

    fn parse(text: &str) -> Track {
        let mut track = Track::NONE;
        for entry in text.split([',', ';']) {
            let (key, value) = entry.split_once('=').unwrap_or_default();
            let value = value.trim_end_matches('=').parse().unwrap_or(OFF);
            match key {
                "count" => track.count = value,
                "bytes" => track.bytes = value,
                "countHardLimit" => track.hard_count = value,
                "byteHardLimit" => track.hard_bytes = value,
                _ => {}
            }
        }
        track
    }

    fn text(&self) -> String {
        let mut text = format!("count={},bytes={}", self.count, self.bytes);
        if self.hard_bytes != OFF || self.hard_count != OFF {
            text.push_str(&format!("=;byteHardLimit={};countHardLimit={}", self.hard_bytes, self.hard_count));
        }
        text
    }

    fn value(&self) -> Value {
        json!({
            "count": self.count, "bytes": self.bytes,
            "count_hard_limit": self.hard_count, "bytes_hard_limit": self.hard_bytes,
        })
    }
}

/// Where the quota of a path lies.
fn dir(absolute: &str) -> String {
    let below = if absolute == "/" { "" } else { absolute };
    format!("{ROOT}{below}")
}

fn node(absolute: &str, name: &str) -> String {
    child(&dir(absolute), name)
}

async fn read(client: &Client, absolute: &str, name: &str) -> Result<Option<Track>> {
    let path = node(absolute, name);
    match client.call(&Request::GetData { path: path.as_str().into(), watch: false }, Keep::Nothing).await {
        Ok(answer) => match reply(&answer)? {
            Reply::Data(data, _) => Ok(Some(Track::parse(&text::data(data.as_deref().unwrap_or_default())))),
            other => Err(format!("the server answered with something else: {other:?}")),
        },
        Err(CallError::Refused(ErrorCode::NoNode)) => Ok(None),
        Err(error) => Err(text::refusal(&error, &path)),
    }
}

/// Creates a znode unless it is there.
async fn ensure(client: &Client, path: &str, data: &str) -> Result<()> {
    let request = Request::Create(Create {
        op: OpCode::Create,
        path: path.into(),
        data: Some(data.as_bytes()),
        acl: AclListRef::OPEN,
        flags: CreateMode::Persistent.to_wire(),
        ttl_ms: -1,
    });
    match client.call(&request, Keep::Nothing).await {
        Ok(_) | Err(CallError::Refused(ErrorCode::NodeExists)) => Ok(()),
        Err(error) => Err(text::refusal(&error, path)),
    }
}

async fn write(client: &Client, absolute: &str, track: Track) -> Result<()> {
    let (path, data) = (node(absolute, LIMITS), track.text());
    let request = Request::SetData(SetData { path: path.as_str().into(), data: Some(data.as_bytes()), version: -1 });
    ask(client, &path, &request, Keep::Nothing).await.map(drop)
}

/// Refuses a quota above or below another.
async fn refuse_nesting(client: &Client, absolute: &str) -> Result<()> {
    for (at, _) in absolute.match_indices('/').filter(|(at, _)| *at > 0) {
        let above = &absolute[..at];
        if read(client, above, LIMITS).await?.is_some() {
            return Err(format!("{absolute} has a parent {above} which has a quota"));
        }
    }
    let below = subtree(client, &dir(absolute), false).await?;
    let limited = |path: &str| path.strip_prefix(ROOT)?.strip_suffix(LIMITS)?.strip_suffix('/').map(str::to_owned);
    match below.iter().find_map(|(path, _)| limited(path)) {
        Some(other) => Err(format!("{absolute} has a child {other} which has a quota")),
        None => Ok(()),
    }
}

pub(super) async fn set(client: &Client, path: &str, limits: Limits) -> Result<Shown> {
    let absolute = client.target().absolute(path);
    ask(client, path, &Request::Exists { path: absolute.as_str().into(), watch: false }, Keep::Nothing).await?;
    let before = read(client, &absolute, LIMITS).await?;
    let present = before.unwrap_or(Track::NONE);
    let track = Track {
        count: limits.count.unwrap_or(present.count),
        bytes: limits.bytes.unwrap_or(present.bytes),
        hard_count: limits.hard_count.unwrap_or(present.hard_count),
        hard_bytes: limits.hard_bytes.unwrap_or(present.hard_bytes),
    };
    if before.is_some() {
        write(client, &absolute, track).await?;
    } else {
        refuse_nesting(client, &absolute).await?;
        let mut parent = ROOT.to_owned();
        for name in absolute.split('/').filter(|name| !name.is_empty()) {
            parent = child(&parent, name);
            ensure(client, &parent, "").await?;
        }
        ensure(client, &node(&absolute, LIMITS), &track.text()).await?;
        ensure(client, &node(&absolute, STATS), "count=0,bytes=0").await?;
    }
    Ok(Shown::new("", json!({ "path": path, "limits": track.value() })))
}

pub(super) async fn list(client: &Client, path: &str) -> Result<Shown> {
    let absolute = client.target().absolute(path);
    let Some(limits) = read(client, &absolute, LIMITS).await? else {
        return Err(format!("quota for {path} does not exist."));
    };
    let usage = read(client, &absolute, STATS).await?.unwrap_or(Track::NONE);
    let text = format!("Output quota for {path} {}\nOutput stat for {path} {}", limits.text(), usage.text());
    Ok(Shown::new(text, json!({ "path": path, "limits": limits.value(), "usage": usage.value() })))
}

/// Deletes what a quota that went leaves empty, up to where another lies.
async fn trim(client: &Client, absolute: &str) -> Result<()> {
    let mut path = dir(absolute);
    while path.len() > ROOT.len() {
        let request = Request::Delete { path: path.as_str().into(), version: -1 };
        match client.call(&request, Keep::Nothing).await {
            Ok(_) | Err(CallError::Refused(ErrorCode::NoNode)) => {}
            Err(CallError::Refused(ErrorCode::NotEmpty)) => break,
            Err(error) => return Err(text::refusal(&error, &path)),
        }
        path.truncate(path.rfind('/').unwrap_or_default());
    }
    Ok(())
}

/// Takes the named limits away; all of them and the znodes when none is named.
pub(super) async fn delete(client: &Client, path: &str, named: [bool; 4]) -> Result<Shown> {
    let absolute = client.target().absolute(path);
    let Some(present) = read(client, &absolute, LIMITS).await? else {
        return Err(format!("Quota does not exist for {path}"));
    };
    let kept = |named: bool, value| if named { OFF } else { value };
    if named.contains(&true) {
        let track = Track {
            count: kept(named[0], present.count),
            bytes: kept(named[1], present.bytes),
            hard_count: kept(named[2], present.hard_count),
            hard_bytes: kept(named[3], present.hard_bytes),
        };
        write(client, &absolute, track).await?;
        return Ok(Shown::new("", json!({ "path": path, "limits": track.value() })));
    }
    for name in [LIMITS, STATS] {
        let request = Request::Delete { path: node(&absolute, name).into(), version: -1 };
        ask(client, path, &request, Keep::Nothing).await?;
    }
    trim(client, &absolute).await?;
    Ok(Shown::new("", json!({ "path": path, "limits": null })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_as_servers_parse_them() {
        let soft = Track { count: 5, bytes: 9, ..Track::NONE };
        assert_eq!(soft.text(), "count=5,bytes=9");
        let hard = Track { hard_count: 7, ..soft };
        assert_eq!(hard.text(), "count=5,bytes=9=;byteHardLimit=-1;countHardLimit=7");
        assert_eq!([soft, hard].map(|track| Track::parse(&track.text())), [soft, hard]);
        assert_eq!(node("/", LIMITS), "/zookeeper/quota/zookeeper_limits");
    }
}
