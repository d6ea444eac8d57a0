//! The numbers of the protocol, each a type of its own so that they cannot be mixed up.
//!
//! `Zxid` orders applied changes, `SessionId` names a session, `Xid` counts requests inside one connection. The 64-bit
//! ones print in hex, as every ZooKeeper tool prints them.

use std::fmt;

/// Order stamp of an applied change; strictly grows over the life of an ensemble.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Zxid(pub i64);

/// Names a session; 0 names none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SessionId(pub i64);

/// A client's request counter inside one connection. Negative values are reserved, see the constants.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Xid(pub i32);

impl Zxid {
    pub const ZERO: Zxid = Zxid(0);
}

impl SessionId {
    pub const NONE: SessionId = SessionId(0);
}

impl Xid {
    /// A watch event, from server to client.
    pub const NOTIFICATION: Xid = Xid(-1);
    pub const PING: Xid = Xid(-2);
    pub const AUTH: Xid = Xid(-4);
    pub const SET_WATCHES: Xid = Xid(-8);
}

macro_rules! hex_display {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.0)
            }
        }
    )*};
}
hex_display!(Zxid, SessionId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_as_zookeeper_tools_print_them() {
        assert_eq!(Zxid(0x1_0000_000a).to_string(), "0x10000000a");
        assert_eq!(SessionId(-1).to_string(), "0xffffffffffffffff");
    }
}
