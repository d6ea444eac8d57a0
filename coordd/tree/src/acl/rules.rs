//! Which lists may be set on a znode (PrepRequestProcessor.fixupACL).
//!
//! ```text
//!   null or empty list ─► refused │ exact repetitions go, order stays │ auth:* ─► an entry for each proven identity
//!   world: only anyone │ digest: user:hash │ ip: address or network │ every other scheme ─► refused
//! ```
//!
//! Rule: the schemes known here are code of the feature level, never plugins, so every member refuses the same lists.

use coordd_proto::{Acl, AuthId, ErrorCode};
use foldhash::quality::RandomState;
use hashbrown::HashSet;

use super::view::is_anyone;
use super::{AclView, ip};
use crate::auth::AuthList;

/// The list to store for `entries` as the request carries them, asked for by `auth`. An entry is `None` where its
/// scheme or id is null; a null list has no entries.
pub(crate) fn fix(entries: impl Iterator<Item = Option<Acl>>, auth: &AuthList) -> Result<AclView, ErrorCode> {
    let entries = entries.collect::<Option<Vec<Acl>>>().ok_or(ErrorCode::InvalidAcl)?;
    let mut fixed = Vec::with_capacity(entries.len());
    for acl in unique(&entries) {
        if acl.id.scheme == "auth" {
            fixed.extend(expand_auth(acl, auth)?);
        } else if is_valid(&acl.id) {
            fixed.push(acl.clone());
        } else {
            return Err(ErrorCode::InvalidAcl);
        }
    }
    if fixed.is_empty() { Err(ErrorCode::InvalidAcl) } else { Ok(AclView::new(fixed)) }
}

/// Each entry where it stands first. A list may be as long as a frame, so no entry is compared with all others.
fn unique(entries: &[Acl]) -> impl Iterator<Item = &Acl> {
    let mut seen = HashSet::with_capacity_and_hasher(entries.len(), RandomState::default());
    entries.iter().filter(move |acl| seen.insert(*acl))
}

fn expand_auth(acl: &Acl, auth: &AuthList) -> Result<Vec<Acl>, ErrorCode> {
    let proven = auth.iter().filter(|id| matches!(id.scheme, "digest" | "sasl" | "x509"));
    let list: Vec<Acl> = proven.map(|id| Acl { perms: acl.perms, id: AuthId::new(id.scheme, id.id) }).collect();
    if list.is_empty() { Err(ErrorCode::InvalidAcl) } else { Ok(list) }
}

fn is_valid(id: &AuthId) -> bool {
    match id.scheme.as_str() {
        "world" => is_anyone(id),
        "digest" => is_digest(&id.id),
        "ip" => ip::is_valid(&id.id),
        _ => false,
    }
}

/// Two parts around a colon as Java's `split(":")` counts them: empty parts at the end do not count.
fn is_digest(id: &str) -> bool {
    let parts = id.trim_end_matches(':');
    !parts.is_empty() && parts.split(':').count() == 2
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use coordd_proto::Perms;

    use super::*;

    fn fix_one(scheme: &str, id: &str, auth: &AuthList) -> Result<Vec<Acl>, ErrorCode> {
        let acl = Acl { perms: Perms::READ, id: AuthId::new(scheme, id) };
        fix([Some(acl)].into_iter(), auth).map(|view| view.to_list())
    }

    #[test]
    fn empty_and_half_null_lists_are_refused() {
        let nobody = AuthList::default();
        assert_eq!(fix(std::iter::empty(), &nobody), Err(ErrorCode::InvalidAcl));
        assert_eq!(fix([Some(Acl::world(Perms::ALL)), None].into_iter(), &nobody), Err(ErrorCode::InvalidAcl));
    }

    #[test]
    fn repetitions_go_and_order_stays() {
        let read = Acl::world(Perms::READ);
        let write = Acl::world(Perms::WRITE);
        let list = [&write, &read, &write].map(|acl| Some(acl.clone()));
        assert_eq!(fix(list.into_iter(), &AuthList::default()).unwrap().to_list(), [write, read]);
    }

    #[test]
    fn a_list_as_long_as_a_frame_holds_nobody_up() {
        // Were each compared with all others, this test would not end before the runner's patience does.
        let acl = |at: u32| Some(Acl { perms: Perms::READ, id: AuthId::new("ip", Ipv4Addr::from(at).to_string()) });
        let fixed = fix((0..300_000).chain(0..300_000).map(acl), &AuthList::default()).unwrap().to_list();
        assert_eq!((fixed.len(), &fixed[49_999].id.id), (300_000, &"0.0.195.79".to_owned()));
    }

    #[test]
    fn auth_becomes_each_proven_identity_and_never_the_address() {
        let ids = [AuthId::new("ip", "1.2.3.4"), AuthId::new("digest", "a:1"), AuthId::new("digest", "b:2")];
        let fixed = fix_one("auth", "ignored", &ids.iter().collect()).unwrap();
        let expected = ids[1..].iter().map(|id| Acl { perms: Perms::READ, id: id.clone() });
        assert_eq!(fixed, expected.collect::<Vec<_>>());
        assert_eq!(fix_one("auth", "", &ids[..1].iter().collect()), Err(ErrorCode::InvalidAcl));
    }

    #[test]
    fn each_scheme_says_which_ids_are_ids() {
        for (scheme, id, valid) in [
            ("world", "anyone", true),
            ("world", "other", false),
            ("digest", "a:b", true),
            ("digest", ":b", true),
            ("digest", "a:", false),
            ("digest", "a", false),
            ("digest", "a:b:c", false),
            ("digest", "a:b::", true),
            ("ip", "10.0.0.0/8", true),
            ("ip", "ten", false),
            ("super", "x", false),
            ("x509", "CN=a", false),
            ("", "", false),
        ] {
            assert_eq!(fix_one(scheme, id, &AuthList::default()).is_ok(), valid, "{scheme}:{id}");
        }
    }
}
