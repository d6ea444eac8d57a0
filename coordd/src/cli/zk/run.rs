//! Each verb as requests. Paths that people give are relative to the chroot; those that they are shown, too.

use std::borrow::Cow;
use std::collections::VecDeque;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use coordd_proto::{
    Acl, AclListRef, AddWatchMode, Create, CreateMode, ErrorCode, MultiOp, OpCode, Reader, Reply, Request, SetData,
    Stat, WatcherType, Writer,
};
use serde_json::{Value, json};

use super::super::client::{Answer, CallError, Client, Keep, Watch};
use super::verb::{Mode, Verb};
use super::{Shown, quota, text};

pub(super) type Result<T> = std::result::Result<T, String>;

const CONFIG: &str = "/zookeeper/config";

/// Asks, and turns a refusal into words about `path`.
pub(super) async fn ask(client: &Client, path: &str, request: &Request<'_>, keep: Keep) -> Result<Answer> {
    client.call(request, keep).await.map_err(|error| text::refusal(&error, path))
}

pub(super) fn reply<'a>(answer: &'a Answer) -> Result<Reply<'a>> {
    answer.reply().map_err(|error| error.to_string())
}

fn unexpected<T>(reply: &Reply<'_>) -> Result<T> {
    Err(format!("the server answered with something else: {reply:?}"))
}

fn nothing(what: &str, path: &str) -> Shown {
    Shown::new("", json!({ what: path }))
}

fn stat_shown(with: bool, before: &str, stat: &Stat, mut value: Value) -> Shown {
    value["stat"] = text::stat_value(stat);
    let text = if with {
        format!("{before}{}{}", if before.is_empty() { "" } else { "\n" }, text::stat(stat))
    } else {
        before.to_owned()
    };
    Shown::new(text, value)
}

fn keep(watch: bool, kind: Watch, path: &str) -> Keep {
    if watch { Keep::Watch(kind, path.to_owned()) } else { Keep::Nothing }
}

pub(super) async fn run(client: &Client, verb: Verb) -> Result<Shown> {
    match verb {
        Verb::AddAuth { scheme, auth } => add_auth(client, scheme, auth.unwrap_or_default()).await,
        Verb::AddWatch { mode, path } | Verb::Watch { mode, path } => add_watch(client, mode, &path).await,
        Verb::Config { clients: true, watch, stat } => config_of_clients(client, watch, stat).await,
        Verb::Config { watch, stat, .. } => get(client, CONFIG, CONFIG.to_owned(), watch, stat, text::data).await,
        Verb::Create { sequential, ephemeral, container, ttl, path, data, acl } => {
            let mode = mode(sequential, ephemeral, container, ttl.is_some());
            create(client, mode, ttl, &path, data, acl.as_deref()).await
        }
        Verb::Delete { version, path } => {
            let absolute = client.target().absolute(&path);
            ask(client, &path, &Request::Delete { path: absolute.into(), version }, Keep::Nothing).await?;
            Ok(nothing("deleted", &path))
        }
        Verb::DeleteAll { path, batch } => delete_all(client, &path, batch.max(1)).await,
        Verb::Get { stat, watch, base64, hex, path } => {
            let form: fn(&[u8]) -> String = match (base64, hex) {
                (true, _) => |data: &[u8]| STANDARD.encode(data),
                (_, true) => text::hex_dump,
                _ => text::data,
            };
            get(client, &path, client.target().absolute(&path), watch, stat, form).await
        }
        Verb::GetAcl { stat, path } => get_acl(client, &path, stat).await,
        Verb::GetAllChildrenNumber { path } => count_below(client, &path).await,
        Verb::GetEphemerals { path } => get_ephemerals(client, path.as_deref().unwrap_or("/")).await,
        Verb::DelQuota { count, bytes, hard_count, hard_bytes, path } => {
            quota::delete(client, &path, [count, bytes, hard_count, hard_bytes]).await
        }
        Verb::ListQuota { path } => quota::list(client, &path).await,
        Verb::SetQuota { limits, path } => quota::set(client, &path, limits).await,
        Verb::Ls { stat, watch, recursive: true, path } => ls_below(client, &path, watch, stat).await,
        Verb::Ls { stat, watch, path, .. } => ls(client, &path, watch, stat).await,
        Verb::RemoveWatches { path, children, data, local, any: _ } => {
            remove_watches(client, &path, children, data, local).await
        }
        Verb::Set { stat, version, base64, path, data } => {
            let absolute = client.target().absolute(&path);
            let wrong = |error| format!("the data is no base64: {error}");
            let data = if base64 { STANDARD.decode(data).map_err(wrong)? } else { data.into_bytes() };
            let request = Request::SetData(SetData { path: absolute.into(), data: Some(&data), version });
            changed(client, &path, stat, &request).await
        }
        Verb::SetAcl { stat, version, recursive, path, acl } => {
            let paths = if recursive { below(client, &path).await? } else { vec![path] };
            set_acl(client, &paths, stat, version, &acl).await
        }
        Verb::Stat { watch, path } => {
            let absolute = client.target().absolute(&path);
            let request = Request::Exists { path: absolute.clone().into(), watch };
            let answer = ask(client, &path, &request, keep(watch, Watch::Exist, &absolute)).await?;
            match reply(&answer)? {
                Reply::Stat(stat) => Ok(stat_shown(true, "", &stat, json!({}))),
                other => unexpected(&other),
            }
        }
        Verb::Sync { path } => {
            ask(client, &path, &Request::Sync { path: Some(client.target().absolute(&path).into()) }, Keep::Nothing)
                .await?;
            Ok(Shown::new("Sync is OK", json!({ "synced": path })))
        }
        Verb::Version => Ok(Shown::new(env!("CARGO_PKG_VERSION"), json!(env!("CARGO_PKG_VERSION")))),
        Verb::WhoAmI => who_am_i(client).await,
    }
}

fn mode(sequential: bool, ephemeral: bool, container: bool, ttl: bool) -> CreateMode {
    match (sequential, ephemeral, container, ttl) {
        (_, _, true, _) => CreateMode::Container,
        (true, true, ..) => CreateMode::EphemeralSequential,
        (false, true, ..) => CreateMode::Ephemeral,
        (true, _, _, true) => CreateMode::PersistentSequentialWithTtl,
        (false, _, _, true) => CreateMode::PersistentWithTtl,
        (true, false, ..) => CreateMode::PersistentSequential,
        (false, false, ..) => CreateMode::Persistent,
    }
}

fn encoded_acl(list: &[Acl]) -> BytesMut {
    let mut out = BytesMut::new();
    Acl::encode_list(list, &mut Writer::new(&mut out));
    out
}

async fn create(
    client: &Client,
    mode: CreateMode,
    ttl: Option<i64>,
    path: &str,
    data: Option<String>,
    acl: Option<&str>,
) -> Result<Shown> {
    let list = acl.map(|acl| text::parse_acl(acl).map(|list| encoded_acl(&list))).transpose()?;
    let decoded = list.as_ref().map(|list| AclListRef::decode(&mut Reader::new(list)));
    let op = match mode {
        CreateMode::Container => OpCode::CreateContainer,
        _ if mode.has_ttl() => OpCode::CreateTtl,
        _ => OpCode::Create,
    };
    let request = Request::Create(Create {
        op,
        path: client.target().absolute(path).into(),
        data: data.as_deref().map(str::as_bytes),
        acl: decoded.transpose().map_err(|error| error.to_string())?.unwrap_or(AclListRef::OPEN),
        flags: mode.to_wire(),
        ttl_ms: ttl.unwrap_or(-1),
    });
    let answer = ask(client, path, &request, Keep::Nothing).await?;
    match reply(&answer)? {
        Reply::Path(created) | Reply::PathStat(created, _) => {
            let created = client.target().relative(&created);
            Ok(Shown::new(format!("Created {created}"), json!({ "created": created })))
        }
        other => unexpected(&other),
    }
}

async fn changed(client: &Client, path: &str, show: bool, request: &Request<'_>) -> Result<Shown> {
    let answer = ask(client, path, request, Keep::Nothing).await?;
    match reply(&answer)? {
        Reply::Stat(stat) => Ok(stat_shown(show, "", &stat, json!({ "changed": path }))),
        other => unexpected(&other),
    }
}

/// The same ACL for each of `paths`; what is shown is of the last one.
async fn set_acl(client: &Client, paths: &[String], stat: bool, version: i32, acl: &str) -> Result<Shown> {
    let list = encoded_acl(&text::parse_acl(acl)?);
    let (mut stats, mut all) = (Vec::new(), Vec::new());
    for path in paths {
        let acl = AclListRef::decode(&mut Reader::new(&list)).map_err(|error| error.to_string())?;
        let request = Request::SetAcl { path: client.target().absolute(path).into(), acl, version };
        let Shown { text, value } = changed(client, path, stat, &request).await?;
        stats.push(text);
        all.push(value);
    }
    let shown = if stat { stats.join("\n") } else { String::new() };
    Ok(Shown::new(shown, if all.len() == 1 { all.remove(0) } else { Value::Array(all) }))
}

/// Version and client addresses, as ZooKeeper's `ConfigUtils.getClientConfigStr` writes them.
async fn config_of_clients(client: &Client, watch: bool, stat: bool) -> Result<Shown> {
    let request = Request::GetData { path: CONFIG.into(), watch };
    let answer = ask(client, CONFIG, &request, keep(watch, Watch::Data, CONFIG)).await?;
    match reply(&answer)? {
        Reply::Data(data, found) => {
            let data = data.unwrap_or_default();
            let config = String::from_utf8_lossy(&data);
            let (version, clients) = text::clients_of_config(&config);
            let shown = format!("{version} {}", clients.join(","));
            let value = json!({ "version": version, "clients": clients });
            Ok(if stat { stat_shown(true, &shown, &found, value) } else { Shown::new(shown, value) })
        }
        other => unexpected(&other),
    }
}

async fn get(
    client: &Client,
    path: &str,
    absolute: String,
    watch: bool,
    stat: bool,
    form: fn(&[u8]) -> String,
) -> Result<Shown> {
    let request = Request::GetData { path: absolute.clone().into(), watch };
    let answer = ask(client, path, &request, keep(watch, Watch::Data, &absolute)).await?;
    match reply(&answer)? {
        Reply::Data(data, found) => {
            let data = data.map(|data| form(&data));
            Ok(stat_shown(stat, data.as_deref().unwrap_or("null"), &found, json!({ "data": data })))
        }
        other => unexpected(&other),
    }
}

async fn get_acl(client: &Client, path: &str, stat: bool) -> Result<Shown> {
    let request = Request::GetAcl { path: client.target().absolute(path).into() };
    let answer = ask(client, path, &request, Keep::Nothing).await?;
    match reply(&answer)? {
        Reply::Acl(list, found) => {
            let value = json!({ "acl": text::acl_value(&list) });
            Ok(stat_shown(stat, text::acl(&list).trim_end(), &found, value))
        }
        other => unexpected(&other),
    }
}

/// Names of the children and the Stat of a znode; `None` when there is none.
async fn children(client: &Client, absolute: &str, watch: bool) -> Result<Option<(Vec<String>, Stat)>> {
    let request = Request::GetChildren2 { path: absolute.into(), watch };
    let answer = match client.call(&request, keep(watch, Watch::Child, absolute)).await {
        Err(CallError::Refused(ErrorCode::NoNode)) => return Ok(None),
        answered => answered.map_err(|error| text::refusal(&error, &client.target().relative(absolute)))?,
    };
    match reply(&answer)? {
        Reply::Children2(names, stat) => {
            let mut names: Vec<_> = names.into_iter().map(Cow::into_owned).collect();
            names.sort_unstable();
            Ok(Some((names, stat)))
        }
        other => unexpected(&other),
    }
}

pub(super) fn child(parent: &str, name: &str) -> String {
    if parent == "/" { format!("/{name}") } else { format!("{parent}/{name}") }
}

fn no_node(path: &str) -> String {
    text::refusal(&CallError::Refused(ErrorCode::NoNode), path)
}

/// A znode and all below it with their Stats, parents first; nothing when there is no such znode. What goes meanwhile
/// is left out, what cannot be read is an error. Paths are the server's.
pub(super) async fn subtree(client: &Client, absolute: &str, watch: bool) -> Result<Vec<(String, Stat)>> {
    let mut found = Vec::new();
    let mut next = VecDeque::from([absolute.to_owned()]);
    while let Some(path) = next.pop_front() {
        if let Some((names, stat)) = children(client, &path, watch).await? {
            next.extend(names.iter().map(|name| child(&path, name)));
            found.push((path, stat));
        }
    }
    Ok(found)
}

/// The paths of a znode, which must be there, and of all below it.
async fn below(client: &Client, path: &str) -> Result<Vec<String>> {
    let found = subtree(client, &client.target().absolute(path), false).await?;
    let paths: Vec<_> = found.iter().map(|(path, _)| client.target().relative(path)).collect();
    if paths.is_empty() { Err(no_node(path)) } else { Ok(paths) }
}

async fn ls(client: &Client, path: &str, watch: bool, stat: bool) -> Result<Shown> {
    let found = children(client, &client.target().absolute(path), watch).await?;
    let (names, found) = found.ok_or_else(|| no_node(path))?;
    let line = format!("[{}]", names.join(", "));
    if stat {
        Ok(stat_shown(true, &line, &found, json!({ "children": names })))
    } else {
        Ok(Shown::new(line, json!(names)))
    }
}

async fn ls_below(client: &Client, path: &str, watch: bool, stat: bool) -> Result<Shown> {
    let mut all = subtree(client, &client.target().absolute(path), watch).await?;
    if all.is_empty() {
        return Err(no_node(path));
    }
    all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let paths = all.iter().map(|(path, found)| (client.target().relative(path), found));
    if !stat {
        let paths: Vec<_> = paths.map(|(path, _)| path).collect();
        return Ok(Shown::new(paths.join("\n"), json!(paths)));
    }
    let shown = paths.map(|(path, found)| stat_shown(true, &path, found, json!({ "path": path })));
    let (texts, values): (Vec<_>, Vec<_>) = shown.map(|Shown { text, value }| (text, value)).unzip();
    Ok(Shown::new(texts.join("\n"), Value::Array(values)))
}

async fn delete_all(client: &Client, path: &str, batch: usize) -> Result<Shown> {
    let mut all = below(client, path).await?;
    all.reverse();
    for group in all.chunks(batch) {
        let delete = |path: &String| MultiOp::Delete { path: client.target().absolute(path).into(), version: -1 };
        let request = Request::Multi(group.iter().map(delete).collect());
        ask(client, path, &request, Keep::Nothing).await?;
    }
    Ok(Shown::new("", json!({ "deleted": all.len() })))
}

async fn add_auth(client: &Client, scheme: String, proof: String) -> Result<Shown> {
    let keep = Keep::Auth { scheme: scheme.clone(), proof: proof.clone().into_bytes() };
    let request = Request::Auth { kind: 0, scheme: scheme.as_str().into(), auth: Some(proof.as_bytes()) };
    ask(client, &scheme, &request, keep).await?;
    Ok(nothing("authenticated", &scheme))
}

async fn add_watch(client: &Client, mode: Mode, path: &str) -> Result<Shown> {
    let (mode, watch) = match mode {
        Mode::Persistent => (AddWatchMode::Persistent, Watch::Persistent),
        Mode::PersistentRecursive => (AddWatchMode::PersistentRecursive, Watch::Recursive),
    };
    let absolute = client.target().absolute(path);
    let request = Request::AddWatch { path: absolute.clone().into(), mode };
    ask(client, path, &request, keep(true, watch, &absolute)).await?;
    Ok(nothing("watched", path))
}

async fn get_ephemerals(client: &Client, path: &str) -> Result<Shown> {
    let request = Request::GetEphemerals { prefix: client.target().absolute(path).into() };
    let answer = ask(client, path, &request, Keep::Nothing).await?;
    match reply(&answer)? {
        Reply::Paths(paths) => {
            let paths: Vec<_> = paths.iter().map(|path| client.target().relative(path)).collect();
            Ok(Shown::new(format!("[{}]", paths.join(", ")), json!(paths)))
        }
        other => unexpected(&other),
    }
}

async fn count_below(client: &Client, path: &str) -> Result<Shown> {
    let request = Request::GetAllChildrenNumber { path: client.target().absolute(path).into() };
    let answer = ask(client, path, &request, Keep::Nothing).await?;
    match reply(&answer)? {
        Reply::Count(count) => Ok(Shown::new(count.to_string(), json!(count))),
        other => unexpected(&other),
    }
}

async fn remove_watches(client: &Client, path: &str, children: bool, data: bool, local: bool) -> Result<Shown> {
    let kind = match (children, data) {
        (true, _) => WatcherType::Children,
        (_, true) => WatcherType::Data,
        _ => WatcherType::Any,
    };
    let absolute = client.target().absolute(path);
    let request = Request::RemoveWatches { path: absolute.clone().into(), kind };
    match client.call(&request, Keep::Forget { path: absolute, anyway: local }).await {
        Err(CallError::Lost | CallError::Late(_)) if local => {}
        answered => drop(answered.map_err(|error| text::refusal(&error, path))?),
    }
    Ok(nothing("removed", path))
}

async fn who_am_i(client: &Client) -> Result<Shown> {
    let answer = client.call(&Request::WhoAmI, Keep::Nothing).await;
    let answer = answer.map_err(|error: CallError| error.to_string())?;
    match reply(&answer)? {
        Reply::WhoAmI(infos) => {
            let lines: Vec<_> = infos.iter().map(|info| format!("{}: {}", info.scheme, info.user)).collect();
            let entry = |info: &coordd_proto::ClientInfo| json!({ "scheme": info.scheme, "user": info.user });
            Ok(Shown::new(format!("Auth scheme: User\n{}", lines.join("\n")), infos.iter().map(entry).collect()))
        }
        other => unexpected(&other),
    }
}
