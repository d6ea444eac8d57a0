//! How much of one kind a single write may carry: far more than any program sends, far less than a frame holds.
//!
//! ```text
//!   one list of ACLs as it is stored ≤ 64 KiB, all of a request ≤ 4 MiB ─ beyond ─► INVALIDACL
//!   the text of a quota ≤ 1 KiB ───────────────────────────────────────── beyond ─► BADARGUMENTS
//! ```
//!
//! Rule: what is beyond never reaches the log, and apply asks nothing of this. Reason: every member walks a list at
//! each access to its znode, and reads a quota's text at each write below it; but what apply refuses must be the same
//! on all members, those of an older release among them.

use coordd_proto::{Acl, AclListRef, AclRef, ErrorCode, MultiOp, Request};
use coordd_tree::{AuthList, is_quota_text};

const ACL_MAX_BYTES: usize = 64 << 10;
const ACLS_MAX_BYTES: usize = 4 << 20;
const QUOTA_TEXT_MAX_BYTES: usize = 1 << 10;

/// Why a write that `auth` asks for carries too much, if so.
pub(super) fn beyond(request: &Request<'_>, auth: &AuthList) -> Option<ErrorCode> {
    let mut meter = Meter { auth, acl_bytes: 0 };
    let beyond = match request {
        Request::Create(create) => meter.create(&create.path, create.data, &create.acl),
        Request::SetData(set) => text(&set.path, set.data),
        Request::SetAcl { acl, .. } => meter.acl(acl),
        Request::Multi(ops) => ops.iter().try_for_each(|op| match op {
            MultiOp::Create(create) => meter.create(&create.path, create.data, &create.acl),
            MultiOp::SetData(set) => text(&set.path, set.data),
            _ => Ok(()),
        }),
        _ => Ok(()),
    };
    beyond.err()
}

/// Bytes of a list as it is stored: `auth` becomes each identity of the connection.
pub(super) fn acl_bytes(acl: &AclListRef<'_>, auth: &AuthList) -> usize {
    if acl.is_open_unsafe() {
        return 0;
    }
    let entry = |scheme: &str, id: &str| Acl::MIN_WIRE_LEN + scheme.len() + id.len();
    let stored = |acl: AclRef<'_>| match acl.scheme.as_deref().unwrap_or_default() {
        "auth" => auth.iter().map(|id| entry(id.scheme, id.id)).sum(),
        scheme => entry(scheme, acl.id.as_deref().unwrap_or_default()),
    };
    acl.iter().map(stored).sum()
}

fn text(path: &str, data: Option<&[u8]>) -> Result<(), ErrorCode> {
    let fits = data.is_none_or(|data| data.len() <= QUOTA_TEXT_MAX_BYTES) || !is_quota_text(path);
    if fits { Ok(()) } else { Err(ErrorCode::BadArguments) }
}

/// Sums up the lists of a request.
struct Meter<'a> {
    auth: &'a AuthList,
    acl_bytes: usize,
}

impl Meter<'_> {
    fn create(&mut self, path: &str, data: Option<&[u8]>, acl: &AclListRef<'_>) -> Result<(), ErrorCode> {
        text(path, data)?;
        self.acl(acl)
    }

    fn acl(&mut self, acl: &AclListRef<'_>) -> Result<(), ErrorCode> {
        let bytes = acl_bytes(acl, self.auth);
        self.acl_bytes += bytes;
        let fits = bytes <= ACL_MAX_BYTES && self.acl_bytes <= ACLS_MAX_BYTES;
        if fits { Ok(()) } else { Err(ErrorCode::InvalidAcl) }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use coordd_proto::{AuthId, Create, OpCode, Perms, Reader, SetData, Writer};

    use super::*;

    fn encoded(list: &[Acl]) -> BytesMut {
        let mut out = BytesMut::new();
        Acl::encode_list(list, &mut Writer::new(&mut out));
        out
    }

    fn acl(scheme: &str, id: &str, perms: i32) -> Acl {
        Acl { perms: Perms(perms), id: AuthId::new(scheme, id) }
    }

    fn create<'a>(path: &'a str, data: &'a [u8], list: &'a [u8]) -> Create<'a> {
        let acl = AclListRef::decode(&mut Reader::new(list)).unwrap();
        Create { op: OpCode::Create, path: path.into(), data: Some(data), acl, flags: 0, ttl_ms: -1 }
    }

    fn beyond_of(list: &[Acl], auth: &AuthList, times: usize) -> Option<ErrorCode> {
        let list = encoded(list);
        let one = create("/a", b"", &list);
        if times == 1 {
            return beyond(&Request::Create(one), auth);
        }
        beyond(&Request::Multi((0..times).map(|_| MultiOp::Create(one.clone())).collect()), auth)
    }

    #[test]
    fn a_list_that_is_longer_than_programs_make_is_no_list() {
        let nobody = AuthList::default();
        let people: Vec<_> = (0..1000).map(|n| acl("digest", &format!("user{n}:{}", "x".repeat(28)), 31)).collect();
        assert_eq!(beyond_of(&people, &nobody, 1), None);
        assert_eq!(beyond_of(&people, &nobody, 70), None);
        assert_eq!(beyond_of(&people, &nobody, 90), Some(ErrorCode::InvalidAcl), "a multi of many");
        let many: Vec<_> = (0..4000u32).map(|n| acl("ip", &std::net::Ipv4Addr::from(n).to_string(), 1)).collect();
        assert_eq!(beyond_of(&many, &nobody, 1), Some(ErrorCode::InvalidAcl));
        let long = [acl("digest", &format!("a:{}", "x".repeat(70_000)), 1)];
        assert_eq!(beyond_of(&long, &nobody, 1), Some(ErrorCode::InvalidAcl));
        assert_eq!(beyond_of(&[Acl::world(Perms::ALL)], &nobody, 20_000), None);
    }

    #[test]
    fn auth_counts_as_what_it_becomes() {
        let ids: Vec<_> = (0..60).map(|n| AuthId::new("digest", format!("{n}:{}", "x".repeat(100)))).collect();
        let auth: AuthList = ids.iter().collect();
        assert_eq!(beyond_of(&[acl("auth", "", 31)], &auth, 1), None);
        let each: Vec<_> = (0..32).map(|perms| acl("auth", "", perms)).collect();
        assert_eq!(beyond_of(&each, &auth, 1), Some(ErrorCode::InvalidAcl));
    }

    #[test]
    fn a_text_of_a_quota_is_short_and_other_data_may_be_long() {
        let long = vec![b','; 2000];
        let open = encoded(&[Acl::world(Perms::ALL)]);
        let set = |path: &'static str, data| Request::SetData(SetData { path: path.into(), data, version: -1 });
        let nobody = AuthList::default();
        for text in ["/zookeeper/quota/a/zookeeper_limits", "/zookeeper/quota/a/zookeeper_stats"] {
            assert_eq!(beyond(&set(text, Some(&long)), &nobody), Some(ErrorCode::BadArguments));
            assert_eq!(beyond(&set(text, Some(b"count=1,bytes=-1")), &nobody), None);
            let made = Request::Multi(vec![MultiOp::Create(create(text, &long, &open))]);
            assert_eq!(beyond(&made, &nobody), Some(ErrorCode::BadArguments));
        }
        assert_eq!(beyond(&set("/zookeeper/quota/a", Some(&long)), &nobody), None);
        assert_eq!(beyond(&set("/a/zookeeper_limits", Some(&long)), &nobody), None);
    }
}
