//! Who a client is: the schemes by which a connection gains identities.
//!
//! ```text
//!   connect ─► ip:ADDRESS                       (every connection, at once)
//!   auth    ─► scheme ─► identities added       {xid, 0, 0}
//!                    └─► refused or unknown     {xid, 0, AUTHFAILED}, then the connection closes
//! ```
//!
//! Rule: an identity that a connection gained counts for the requests that come after it. `digest` proves nothing but
//! that the client knows a password: it always succeeds, and ACLs compare the hash. A new scheme is one more `Scheme`.
//! What a connection gathers is bounded in number and in bytes. Reason: each of its writes carries it through the log.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coordd_proto::{AuthId, ErrorCode, OpCode, Reply, Request, Xid, Zxid, encode_reply};
use coordd_tree::AuthList;
use sha1::{Digest, Sha1};

use super::Shared;
use super::conn::Queue;

/// Who a connection is at one moment: as reads ask, and as a write carries it.
#[derive(Debug)]
pub(crate) struct Identities {
    pub ids: Vec<AuthId>,
    pub list: AuthList,
    /// Schemes and ids.
    pub bytes: usize,
}

impl Identities {
    pub(crate) fn new(ids: Vec<AuthId>) -> Arc<Identities> {
        let list = ids.iter().collect();
        let bytes = ids.iter().map(|id| id.scheme.len() + id.id.len()).sum();
        Arc::new(Identities { ids, list, bytes })
    }

    /// These and the `ids` that are new among them; `None` beyond a bound.
    fn with(self: &Arc<Self>, ids: Vec<AuthId>) -> Option<Arc<Identities>> {
        let mut all = self.ids.clone();
        for id in ids {
            if !all.contains(&id) {
                all.push(id);
            }
        }
        if all.len() == self.ids.len() {
            return Some(self.clone());
        }
        Some(Identities::new(all)).filter(|all| all.ids.len() <= IDENTITIES_MAX && all.bytes <= IDENTITIES_MAX_BYTES)
    }
}

/// Identities that one connection may gather.
const IDENTITIES_MAX: usize = 64;

/// Their schemes and ids in bytes; one of an ordinary user has about fifty.
const IDENTITIES_MAX_BYTES: usize = 16 * 1024;

/// A way to prove an identity by an `auth` packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `user:password`; `super_digest` is the `user:hash` that makes a connection super.
    Digest { super_digest: Option<String> },
    /// Every connection has it already; asking for it is no error.
    Ip,
}

impl Scheme {
    fn name(&self) -> &'static str {
        match self {
            Scheme::Digest { .. } => "digest",
            Scheme::Ip => "ip",
        }
    }

    /// The identities that `proof` brings; `None` when it is refused.
    fn authenticate(&self, proof: Option<&[u8]>, peer: SocketAddr) -> Option<Vec<AuthId>> {
        match self {
            Scheme::Digest { super_digest } => {
                let id = digest_id(&String::from_utf8_lossy(proof?));
                let is_super = super_digest.as_ref() == Some(&id);
                let digest = AuthId::new("digest", id);
                Some(if is_super { vec![AuthId::new("super", ""), digest] } else { vec![digest] })
            }
            Scheme::Ip => Some(vec![AuthId::new("ip", peer.ip().to_canonical().to_string())]),
        }
    }
}

/// Who a caller of the HTTP port is by HTTP Basic's `user:password`; `None` where the digest scheme is off.
pub(crate) fn basic(schemes: &[Scheme], proof: &[u8]) -> Option<Vec<AuthId>> {
    let digest = schemes.iter().find(|scheme| matches!(scheme, Scheme::Digest { .. }))?;
    digest.authenticate(Some(proof), SocketAddr::from(([0; 4], 0)))
}

/// `user:base64(SHA1("user:password"))`, the id under which ACLs name a user (DigestAuthenticationProvider).
pub fn digest_id(user_password: &str) -> String {
    let user = user_password.split_once(':').map_or(user_password, |(user, _)| user);
    format!("{user}:{}", STANDARD.encode(Sha1::digest(user_password.as_bytes())))
}

/// What `whoAmI` shows of an identity: never a hash.
pub(crate) fn user_name(id: &AuthId) -> &str {
    match id.scheme.as_str() {
        "digest" => id.id.split(':').next().unwrap_or(""),
        "super" => "",
        _ => &id.id,
    }
}

/// Answers an `auth` packet at once; the identities count from the next request on.
pub(crate) fn answer(shared: &Shared, peer: SocketAddr, xid: Xid, record: &[u8], queue: &mut Queue) {
    let config = &shared.config;
    let proven = match Request::decode(OpCode::Auth, record) {
        Ok(Request::Auth { scheme, auth, .. }) => {
            let scheme = config.schemes.iter().find(|known| known.name() == scheme);
            scheme.and_then(|scheme| scheme.authenticate(auth, peer))
        }
        // ZooKeeper has no answer to what it cannot read.
        Ok(_) | Err(_) => return queue.close_after_flush(),
    };
    match proven.and_then(|ids| queue.auth.with(ids)) {
        Some(auth) => {
            queue.auth = auth;
            encode_reply(&mut queue.out, xid, Zxid::ZERO, Ok(&Reply::Empty));
        }
        None => {
            tracing::debug!(%peer, "an identity is refused");
            shared.hub.metrics.auth_failed_count.add(1);
            encode_reply(&mut queue.out, xid, Zxid::ZERO, Err(ErrorCode::AuthFailed));
            queue.close_after_flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_what_zookeeper_makes_of_the_same_password() {
        assert_eq!(digest_id("super:super"), "super:gG7s8t3oDEtIqF6DM9LlI/R+9Ss=");
        assert_eq!(digest_id("super:test"), "super:D/InIHSb7yEEbrWz8b9l71RjZJU=");
    }

    #[test]
    fn the_super_digest_makes_super_and_nothing_else_does() {
        let scheme = Scheme::Digest { super_digest: Some(digest_id("root:secret")) };
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let ids = |proof: &[u8]| scheme.authenticate(Some(proof), peer).unwrap();
        assert_eq!(ids(b"root:secret")[0], AuthId::new("super", ""));
        assert_eq!(ids(b"root:guess").len(), 1);
    }

    #[test]
    fn an_identity_counts_once_and_their_number_is_bounded() {
        let one = vec![AuthId::new("digest", "a:b")];
        let once = Identities::new(Vec::new()).with(one.clone()).unwrap();
        assert_eq!(once.with(one.clone()).unwrap().ids, one);
        let many: Vec<_> = (0..65).map(|n| AuthId::new("digest", n.to_string())).collect();
        assert!(once.with(many).is_none());
    }

    #[test]
    fn identities_are_bounded_in_bytes_too() {
        let of = |bytes: usize, fill: &str| vec![AuthId::new("digest", fill.repeat(bytes))];
        let some = Identities::new(Vec::new()).with(of(IDENTITIES_MAX_BYTES / 2, "a")).unwrap();
        assert!(some.with(of(IDENTITIES_MAX_BYTES / 2, "b")).is_none());
        assert!(some.with(of(100, "b")).is_some());
    }

    #[test]
    fn whoami_shows_the_user_and_never_the_hash() {
        assert_eq!(user_name(&AuthId::new("digest", "bob:hash=")), "bob");
        assert_eq!(user_name(&AuthId::new("ip", "::1")), "::1");
        assert_eq!(user_name(&AuthId::new("super", "")), "");
    }
}
