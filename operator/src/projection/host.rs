//! Host names that are registered in place of addresses.
//!
//! ```text
//!   web-0 ─► a pod of the projection's namespace        db.example.com ─► asked for, as it stands
//!   orders.shop.svc.cluster.local ─► rejected where some projection has made the Service `orders` of `shop`
//! ```
//!
//! Rule: what a name means does not depend on where the operator runs, and of one projection there are not more than a
//! bound. Reason: `redis` would be another namespace's; a Service that is found by its own name keeps its own dead
//! endpoints alive; and who may register names must not be able to make the operator ask for any number of them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::World;
use super::job::Child;

/// Of one projection.
pub(super) const MOST: usize = 256;
const LONGEST: usize = 253;

/// What a text that is no address stands for.
pub(super) enum Name {
    Pod(Vec<IpAddr>),
    /// It is to be asked for, in this form.
    Host(String),
}

/// Reads it.
///
/// # Errors
/// Why it can be neither.
pub(super) fn read(text: &str, namespace: &str, world: &World) -> Result<Name, String> {
    let name = text.trim_end_matches('.').to_ascii_lowercase();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(plain) {
        return Err(format!("{text:?} is neither an address nor a host name"));
    }
    let labels: Vec<&str> = name.split('.').collect();
    if let [pod] = labels.as_slice() {
        let addresses: Vec<IpAddr> =
            world.pods.iter().filter(|(_, there)| there.name == *pod).map(|(ip, _)| *ip).collect();
        if addresses.is_empty() {
            return Err(format!("{text} is no pod of the namespace {namespace}, and no whole host name"));
        }
        return Ok(Name::Pod(addresses));
    }
    let is_projected = |of: &&[&str]| {
        let name = |text: &str| text.to_owned();
        of[2] == "svc" && world.projected.contains(&(name(of[1]), name(of[0])))
    };
    if let Some(of) = labels.windows(3).find(is_projected) {
        let service = if of[1] == namespace { of[0].to_owned() } else { format!("{}/{}", of[1], of[0]) };
        return Err(format!("{text} is a name of the projected Service {service}: it would be its own endpoint"));
    }
    Ok(Name::Host(name))
}

/// The names that are asked for: those that are already, and as many new ones as there is room for.
pub(super) fn wanted(children: &[Child<'_>], namespace: &str, world: &World) -> BTreeSet<String> {
    let instances = children.iter().filter_map(|child| child.known.as_ref()).flat_map(|known| known.instances.iter());
    let (mut wanted, mut new) = (BTreeSet::new(), 0);
    for instance in instances.filter(|instance| super::address::address(&instance.address).is_none()) {
        let Ok(Name::Host(name)) = read(&instance.address, namespace, world) else { continue };
        if wanted.contains(&name) {
            continue;
        }
        if !world.hosts.contains_key(&name) {
            if world.hosts.len() + new >= MOST {
                continue;
            }
            new += 1;
        }
        wanted.insert(name);
    }
    wanted
}
