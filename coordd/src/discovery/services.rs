//! The instances registered below a znode, and the services below a base path.
//!
//! ```text
//!   path/…            a registration each
//!   path/providers/…  where Dubbo's interface has its categories: those are the registrations
//! ```
//!
//! Rule: a child that the caller may not read is rejected with that reason, so that a missing instance is explained.

use std::collections::BTreeMap;

use coordd_api::discovery::{Format, Instance, InstanceState, Rejected, ServiceEntry, ServiceList, ServiceView};
use coordd_tree::ZnodeRef;

use super::formats::{self, DATA_MAX, Entry, Paths, Reason, Registration, Verdict, percent};
use super::{Failure, Look, Newest, Room, ZNODES_MAX, join, unreadable};

const PROVIDERS: &str = "providers";
/// What stands below an interface of Dubbo. One such name among others makes no Dubbo of them.
const CATEGORIES: [&str; 4] = [PROVIDERS, "consumers", "routers", "configurators"];

/// Which instances are wanted; what is empty asks for nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub states: Vec<InstanceState>,
    pub zones: Vec<String>,
    pub metadata: BTreeMap<String, String>,
}

impl Filter {
    fn passes(&self, found: &Registration) -> bool {
        let among = |zone: &String| self.zones.contains(zone);
        (self.states.is_empty() || self.states.contains(&found.state))
            && (self.zones.is_empty() || found.zone.as_ref().is_some_and(among))
            && self.metadata.iter().all(|(key, value)| found.metadata.get(key) == Some(value))
    }
}

struct Copied {
    name: String,
    /// `None` where the caller may not read it.
    data: Option<Vec<u8>>,
    since: i64,
}

/// The registrations of one path, copied out of the state.
pub(crate) struct Registrations {
    path: String,
    /// Where they stand.
    parent: String,
    pub zxid: i64,
    copied: Vec<Copied>,
}

/// The znode whose children are the registrations of `path`, and its own path.
fn place<'a>(
    look: Look<'a>,
    path: &str,
    format: Option<Format>,
    newest: &mut Newest,
) -> Result<(String, ZnodeRef<'a>), Failure> {
    let top = look.find(path)?;
    newest.children(top);
    let dubbo = match format {
        None => top.children().all(|child| CATEGORIES.contains(&child.name())),
        Some(format) => format == Format::Dubbo,
    };
    let (parent, at) = match top.child(PROVIDERS).filter(|_| dubbo) {
        None => (path.to_owned(), top),
        Some(providers) => {
            let path = join(path, PROVIDERS);
            newest.children(providers);
            let readable = providers.readable(look.auth);
            (path.clone(), if readable { providers } else { return Err(unreadable(path, providers)) })
        }
    };
    let many = at.child_count() > ZNODES_MAX;
    if many { Err(Failure::TooMany { path: parent }) } else { Ok((parent, at)) }
}

/// The newest change that the registrations of `path` rest on, without a copy of them.
pub(crate) fn newest(look: Look<'_>, path: &str, format: Option<Format>) -> Result<i64, Failure> {
    let mut newest = Newest::none();
    let (_, at) = place(look, path, format, &mut newest)?;
    for child in at.children() {
        see(child, look, &mut newest);
    }
    Ok(newest.zxid())
}

/// Whether the caller may read a registration; its part in the newest change.
fn see(child: ZnodeRef<'_>, look: Look<'_>, newest: &mut Newest) -> bool {
    let readable = child.readable(look.auth);
    if readable {
        newest.data(child);
    } else {
        newest.access(child);
    }
    readable
}

/// Copies what stands below `path`.
pub(crate) fn collect(look: Look<'_>, path: &str, format: Option<Format>) -> Result<Registrations, Failure> {
    let mut newest = Newest::none();
    let (parent, at) = place(look, path, format, &mut newest)?;
    let mut room = look.room();
    let mut copied = Vec::with_capacity(at.child_count());
    for child in at.children() {
        copied.push(copy(child, look, &mut newest, &mut room, &parent)?);
    }
    Ok(Registrations { path: path.to_owned(), parent, zxid: newest.zxid(), copied })
}

fn copy(
    child: ZnodeRef<'_>,
    look: Look<'_>,
    newest: &mut Newest,
    room: &mut Room,
    parent: &str,
) -> Result<Copied, Failure> {
    // Each name and the path before it stand in the answer, whether or not the caller may read the znode.
    room.take(parent.len() + child.name().len(), parent)?;
    let mut data = None;
    if see(child, look, newest) {
        // One byte more than a registration may have shows that it is too long.
        let bytes = child.data().unwrap_or_default();
        let bytes = &bytes[..bytes.len().min(DATA_MAX + 1)];
        room.take(bytes.len(), parent)?;
        data = Some(bytes.to_owned());
    }
    Ok(Copied { name: child.name().to_owned(), data, since: child.stat().czxid.0 })
}

/// Decodes what was copied.
pub(crate) fn view(found: Registrations, format: Option<Format>, paths: &Paths, filter: &Filter) -> ServiceView {
    let Registrations { path, parent, zxid, copied } = found;
    let readable: Vec<_> = copied.iter().filter_map(|copied| Some((copied, copied.data.as_deref()?))).collect();
    let entries: Vec<_> = readable.iter().map(|(copied, data)| Entry { name: &copied.name, data }).collect();
    let format = format.or_else(|| formats::detect(&entries));
    let verdicts = match format {
        Some(format) => formats::decode(format, &entries, paths),
        None => vec![Verdict::Rejected(Reason::UnknownFormat); entries.len()],
    };
    let rejected = |name: &str, reason: &Reason| Rejected { znode: join(&parent, name), reason: reason.to_string() };
    let mut answer = ServiceView { path, format, zxid, instances: Vec::new(), rejected: Vec::new() };
    let hidden = copied.iter().filter(|copied| copied.data.is_none());
    answer.rejected.extend(hidden.map(|hidden| rejected(&hidden.name, &Reason::Unreadable)));
    for ((copied, _), verdict) in readable.iter().zip(verdicts) {
        match verdict {
            Verdict::Instance(found) if filter.passes(&found) => {
                answer.instances.push(instance(found, join(&parent, &copied.name), copied.since));
            }
            Verdict::Instance(_) | Verdict::Aside => {}
            Verdict::Rejected(reason) => answer.rejected.push(rejected(&copied.name, &reason)),
        }
    }
    answer.instances.sort_by(|a, b| (&a.id, &a.znode).cmp(&(&b.id, &b.znode)));
    answer.rejected.sort_by(|a, b| a.znode.cmp(&b.znode));
    answer
}

fn instance(found: Registration, znode: String, since: i64) -> Instance {
    let Registration { id, address, ports, state, zone, weight, metadata } = found;
    Instance { id, address, ports, state, zone, weight, metadata, znode, since }
}

/// The children of a base path.
pub(crate) fn list(look: Look<'_>, path: &str) -> Result<ServiceList, Failure> {
    let base = look.find(path)?;
    if base.child_count() > ZNODES_MAX {
        return Err(Failure::TooMany { path: path.to_owned() });
    }
    let mut newest = Newest::none();
    newest.children(base);
    let mut room = look.room();
    let entry = |child: ZnodeRef<'_>| {
        room.take(path.len() + child.name().len(), path)?;
        let readable = child.readable(look.auth);
        if readable {
            newest.children(child)
        } else {
            newest.access(child)
        }
        let name = child.name();
        Ok(ServiceEntry {
            name: percent::decode_form(name).filter(|_| name.contains('%')).unwrap_or_else(|| name.to_owned()),
            path: join(path, name),
            children: readable.then(|| u32::try_from(child.child_count()).unwrap_or(u32::MAX)),
        })
    };
    let mut services = base.children().map(entry).collect::<Result<Vec<_>, _>>()?;
    services.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
    Ok(ServiceList { path: path.to_owned(), zxid: newest.zxid(), services })
}
