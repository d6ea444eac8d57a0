//! The operations of ZooKeeper 3.9 by their numbers on the wire (ZooDefs.java `OpCode`).

macro_rules! op_codes {
    ($($name:ident = $code:literal),* $(,)?) => {
        /// What a request asks for.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(i32)]
        pub enum OpCode { $($name = $code),* }

        impl OpCode {
            pub const ALL: &'static [OpCode] = &[$(OpCode::$name),*];

            /// `None` for a number that ZooKeeper 3.9 does not know.
            pub fn from_wire(code: i32) -> Option<OpCode> {
                match code { $($code => Some(OpCode::$name),)* _ => None }
            }
        }
    };
}

op_codes! {
    Create = 1, Delete = 2, Exists = 3, GetData = 4, SetData = 5, GetAcl = 6, SetAcl = 7, GetChildren = 8, Sync = 9,
    Ping = 11, GetChildren2 = 12, Check = 13, Multi = 14, Create2 = 15, Reconfig = 16, CheckWatches = 17,
    RemoveWatches = 18, CreateContainer = 19, DeleteContainer = 20, CreateTtl = 21, MultiRead = 22,
    Auth = 100, SetWatches = 101, Sasl = 102, GetEphemerals = 103, GetAllChildrenNumber = 104, SetWatches2 = 105,
    AddWatch = 106, WhoAmI = 107,
    CreateSession = -10, CloseSession = -11, Error = -1,
}

impl OpCode {
    pub fn to_wire(self) -> i32 {
        self as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_op_code_survives_the_wire() {
        for &op in OpCode::ALL {
            assert_eq!(OpCode::from_wire(op.to_wire()), Some(op));
        }
        assert_eq!(OpCode::from_wire(10), None);
    }
}
