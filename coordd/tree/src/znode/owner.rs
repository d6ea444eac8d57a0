//! What kind a znode is, packed into one number as ZooKeeper stores it (EphemeralType.java).
//!
//! ```text
//!   0 plain │ 0x8000000000000000 container │ 0xff00 + 40 bits: TTL in ms │ anything else: the owning session
//! ```
//!
//! Rule: clients see the owner of an ephemeral only; the owner of every other kind reads as 0.

use coordd_proto::SessionId;

const TTL_BITS: i64 = 0xff00_0000_0000_0000_u64.cast_signed();
const TTL_MAX: i64 = 0xff_ffff_ffff;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Owner(i64);

impl Owner {
    pub(crate) const NOBODY: Owner = Owner(0);
    pub(crate) const CONTAINER: Owner = Owner(i64::MIN);

    pub(crate) fn session(id: SessionId) -> Owner {
        Owner(id.0)
    }

    /// `None` unless 1 ≤ `ttl_ms` < 2^40.
    pub(crate) fn ttl(ttl_ms: i64) -> Option<Owner> {
        (1..=TTL_MAX).contains(&ttl_ms).then_some(Owner(TTL_BITS | ttl_ms))
    }

    pub(crate) fn from_raw(raw: i64) -> Owner {
        Owner(raw)
    }

    pub(crate) fn raw(self) -> i64 {
        self.0
    }

    pub(crate) fn is_container(self) -> bool {
        self == Owner::CONTAINER
    }

    pub(crate) fn ttl_ms(self) -> Option<i64> {
        (self.0 & TTL_BITS == TTL_BITS).then_some(self.0 & TTL_MAX)
    }

    /// The owning session; `SessionId::NONE` unless the znode is ephemeral.
    pub(crate) fn session_id(self) -> SessionId {
        if self.is_container() || self.ttl_ms().is_some() { SessionId::NONE } else { SessionId(self.0) }
    }

    pub(crate) fn is_ephemeral(self) -> bool {
        self.session_id() != SessionId::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_from_the_others() {
        let ttl = Owner::ttl(5000).unwrap();
        assert_eq!(ttl.raw().cast_unsigned(), 0xff00_0000_0000_1388);
        assert_eq!((ttl.ttl_ms(), ttl.is_ephemeral(), ttl.is_container()), (Some(5000), false, false));
        assert!(Owner::CONTAINER.is_container() && !Owner::CONTAINER.is_ephemeral());
        assert_eq!(Owner::CONTAINER.ttl_ms(), None);
        assert_eq!(Owner::session(SessionId(77)).session_id(), SessionId(77));
        assert!(!Owner::NOBODY.is_ephemeral());
    }

    #[test]
    fn a_ttl_has_forty_bits_and_is_not_zero() {
        assert_eq!(Owner::ttl(0), None);
        assert_eq!(Owner::ttl(-1), None);
        assert!(Owner::ttl(TTL_MAX).is_some());
        assert_eq!(Owner::ttl(TTL_MAX + 1), None);
    }
}
