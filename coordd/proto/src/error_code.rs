//! ZooKeeper's error codes (KeeperException.java). A code that the Java client does not know makes it throw, so these
//! are all that may ever be sent.

use std::fmt;

macro_rules! error_codes {
    ($($name:ident = $code:literal),* $(,)?) => {
        /// Why a request was refused, as the client is told.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(i32)]
        pub enum ErrorCode { $($name = $code),* }

        impl ErrorCode {
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$name),*];

            /// `None` for 0 (no error) and for codes that ZooKeeper does not know.
            pub fn from_wire(code: i32) -> Option<ErrorCode> {
                match code { $($code => Some(ErrorCode::$name),)* _ => None }
            }
        }
    };
}

error_codes! {
    SystemError = -1, RuntimeInconsistency = -2, DataInconsistency = -3, ConnectionLoss = -4, MarshallingError = -5,
    Unimplemented = -6, OperationTimeout = -7, BadArguments = -8, UnknownSession = -12, NewConfigNoQuorum = -13,
    ReconfigInProgress = -14,
    ApiError = -100, NoNode = -101, NoAuth = -102, BadVersion = -103, NoChildrenForEphemerals = -108,
    NodeExists = -110, NotEmpty = -111, SessionExpired = -112, InvalidCallback = -113, InvalidAcl = -114,
    AuthFailed = -115, SessionMoved = -118, NotReadOnly = -119, EphemeralOnLocalSession = -120, NoWatcher = -121,
    RequestTimeout = -122, ReconfigDisabled = -123, SessionClosedRequireSaslAuth = -124, QuotaExceeded = -125,
    ThrottledOp = -127,
}

impl ErrorCode {
    pub fn to_wire(self) -> i32 {
        self as i32
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?} ({})", self.to_wire())
    }
}

impl std::error::Error for ErrorCode {}

#[cfg(test)]
mod tests {
    use super::*;

    /// KeeperException.Code of ZooKeeper 3.9, without OK and what it calls deprecated.
    const JAVA: [i32; 31] = [
        -1, -2, -3, -4, -5, -6, -7, -8, -12, -13, -14, -100, -101, -102, -103, -108, -110, -111, -112, -113, -114,
        -115, -118, -119, -120, -121, -122, -123, -124, -125, -127,
    ];

    #[test]
    fn every_code_is_one_that_the_java_client_knows() {
        let ours: Vec<i32> = ErrorCode::ALL.iter().map(|code| code.to_wire()).collect();
        assert_eq!(ours, JAVA);
        let known = (-200..=10).filter(|code| ErrorCode::from_wire(*code).is_some()).count();
        assert_eq!(known, JAVA.len());
        assert!(ErrorCode::ALL.iter().all(|code| ErrorCode::from_wire(code.to_wire()) == Some(*code)));
    }
}
