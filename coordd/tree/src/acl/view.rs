//! The decision whether an access control list lets someone do something (ZooKeeperServer.checkACL).
//!
//! Rule: an empty list and the identity `super` pass everything; one entry that grants any of the wanted permissions
//! to one of the identities is enough; `world:anyone` is everyone. Nothing is inherited from the parent.

use std::sync::Arc;

use coordd_proto::{Acl, AuthId, Perms};

use super::ip;
use crate::auth::AuthRef;

/// A znode's list, shared; cheap to clone and to keep after the znode is gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AclView(Option<Arc<[Acl]>>);

impl AclView {
    /// `world:anyone:cdrwa`, which nearly every znode has; it costs nothing.
    pub const OPEN: AclView = AclView(None);

    pub(crate) fn new(list: Vec<Acl>) -> AclView {
        if is_open(&list) { AclView::OPEN } else { AclView(Some(list.into())) }
    }

    pub fn is_open(&self) -> bool {
        self.0.is_none()
    }

    pub fn to_list(&self) -> Vec<Acl> {
        match &self.0 {
            None => vec![Acl::world(Perms::ALL)],
            Some(list) => list.to_vec(),
        }
    }

    /// Whether one of `ids` may do any of `wanted`.
    pub fn permits<'a>(&self, wanted: Perms, ids: impl Iterator<Item = AuthRef<'a>> + Clone) -> bool {
        let Some(list) = &self.0 else { return true };
        list.is_empty()
            || list.iter().any(|acl| acl.perms.grants_any(wanted) && is_anyone(&acl.id))
            || ids.clone().any(|id| id.scheme == "super")
            || list.iter().any(|acl| acl.perms.grants_any(wanted) && ids.clone().any(|id| matches(&acl.id, id)))
    }

    pub(crate) fn entries(&self) -> Option<&[Acl]> {
        self.0.as_deref()
    }
}

pub(crate) fn is_anyone(id: &AuthId) -> bool {
    id.scheme == "world" && id.id == "anyone"
}

fn is_open(list: &[Acl]) -> bool {
    matches!(list, [only] if only.perms == Perms::ALL && is_anyone(&only.id))
}

fn matches(grantee: &AuthId, id: AuthRef<'_>) -> bool {
    grantee.scheme == id.scheme
        && match id.scheme {
            "ip" => ip::matches(&grantee.id, id.id),
            "digest" | "x509" => grantee.id == id.id,
            "sasl" => grantee.id == id.id || id.id == "super",
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(perms: Perms, scheme: &str, id: &str) -> AclView {
        AclView::new(vec![Acl { perms, id: AuthId::new(scheme, id) }])
    }

    fn passes(acl: &AclView, wanted: Perms, scheme: &str, id: &str) -> bool {
        acl.permits(wanted, [AuthRef { scheme, id }].into_iter())
    }

    #[test]
    fn one_granted_bit_of_those_wanted_is_enough() {
        let acl = view(Perms::READ, "digest", "bob:x");
        assert!(passes(&acl, Perms(Perms::READ.0 | Perms::ADMIN.0), "digest", "bob:x"));
        assert!(!passes(&acl, Perms::WRITE, "digest", "bob:x"));
        assert!(!passes(&acl, Perms::READ, "digest", "bob:y"));
        assert!(!passes(&acl, Perms::READ, "sasl", "bob:x"));
    }

    #[test]
    fn super_and_an_empty_list_pass_everything() {
        assert!(passes(&view(Perms(0), "digest", "bob:x"), Perms::ADMIN, "super", ""));
        assert!(AclView::new(vec![]).permits(Perms::ALL, std::iter::empty()));
    }

    #[test]
    fn anyone_is_everyone_with_the_granted_permissions_only() {
        let acl = AclView::new(vec![Acl::world(Perms::READ)]);
        assert!(!acl.is_open());
        assert!(acl.permits(Perms::READ, std::iter::empty()));
        assert!(!acl.permits(Perms::CREATE, std::iter::empty()));
    }

    #[test]
    fn schemes_that_nobody_checks_match_nobody() {
        assert!(!passes(&view(Perms::ALL, "auth", ""), Perms::READ, "auth", ""));
        assert!(passes(&view(Perms::ALL, "x509", "CN=a"), Perms::READ, "x509", "CN=a"));
        assert!(passes(&view(Perms::ALL, "sasl", "bob"), Perms::READ, "sasl", "super"));
    }
}
