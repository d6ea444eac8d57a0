//! Access control lists: who (`AuthId`: scheme and id) may do what (`Perms`).

use std::fmt;

use crate::jute::{DecodeError, Reader, Writer};

/// A set of permissions; bits that ZooKeeper does not know are kept, as ZooKeeper keeps them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Perms(pub i32);

impl Perms {
    pub const READ: Perms = Perms(1);
    pub const WRITE: Perms = Perms(2);
    pub const CREATE: Perms = Perms(4);
    pub const DELETE: Perms = Perms(8);
    pub const ADMIN: Perms = Perms(16);
    pub const ALL: Perms = Perms(31);

    /// Whether any of `wanted` is granted.
    pub fn grants_any(self, wanted: Perms) -> bool {
        self.0 & wanted.0 != 0
    }
}

/// An identity: of a connection when it stands in a request, of a grantee when it stands in an ACL.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct AuthId {
    pub scheme: String,
    pub id: String,
}

/// One entry of a znode's access control list.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Acl {
    pub perms: Perms,
    pub id: AuthId,
}

impl AuthId {
    pub fn new(scheme: impl Into<String>, id: impl Into<String>) -> Self {
        AuthId { scheme: scheme.into(), id: id.into() }
    }

    pub fn anyone() -> Self {
        AuthId::new("world", "anyone")
    }
}

impl fmt::Display for AuthId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.scheme, self.id)
    }
}

impl Acl {
    /// The smallest encoding of an entry: permissions and two null strings.
    pub const MIN_WIRE_LEN: usize = 12;

    pub fn world(perms: Perms) -> Self {
        Acl { perms, id: AuthId::anyone() }
    }

    pub fn encode(&self, out: &mut Writer<'_>) {
        out.i32(self.perms.0);
        out.string(&self.id.scheme);
        out.string(&self.id.id);
    }

    pub fn encode_list(list: &[Acl], out: &mut Writer<'_>) {
        out.count(list.len());
        list.iter().for_each(|acl| acl.encode(out));
    }

    /// A list as a request carries it. `None` is a null list; an entry with a null scheme or id is `None` in the list.
    /// Both are for the caller to refuse (INVALIDACL), since they are no encoding errors.
    pub fn decode_list(from: &mut Reader<'_>) -> Result<Option<Vec<Option<Acl>>>, DecodeError> {
        let Some(count) = from.count(Self::MIN_WIRE_LEN)? else { return Ok(None) };
        let mut list = Vec::with_capacity(count);
        for _ in 0..count {
            let perms = Perms(from.i32()?);
            let (scheme, id) = (from.string()?, from.string()?);
            list.push(match (scheme, id) {
                (Some(scheme), Some(id)) => Some(Acl { perms, id: AuthId::new(scheme, id) }),
                _ => None,
            });
        }
        Ok(Some(list))
    }
}
