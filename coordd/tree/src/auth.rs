//! Who asks: the authenticated identities of a connection, as they travel inside a command.
//!
//! ```text
//!   AuthList = { scheme_len:u16 │ scheme │ id_len:u32 │ id }*        one shared buffer, cloned by reference
//! ```
//!
//! Rule: an identity is authenticated before it gets here; nothing in this crate asks a scheme whether it is true.
//! Reason: apply runs on every member and years later from the log, where no plugin and no connection exists.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use coordd_proto::AuthId;

/// A borrowed identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AuthRef<'a> {
    pub scheme: &'a str,
    pub id: &'a str,
}

impl<'a> From<&'a AuthId> for AuthRef<'a> {
    fn from(auth: &'a AuthId) -> Self {
        AuthRef { scheme: &auth.scheme, id: &auth.id }
    }
}

/// The identities of a connection at the moment of a request; cheap to clone.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct AuthList(Bytes);

impl AuthList {
    /// Encodes `ids`. A scheme's name longer than 65,535 bytes names no scheme: such an identity is left out.
    pub fn new<'a>(ids: impl IntoIterator<Item = AuthRef<'a>>) -> AuthList {
        let mut out = BytesMut::new();
        for AuthRef { scheme, id } in ids {
            let (Ok(scheme_len), Ok(id_len)) = (u16::try_from(scheme.len()), u32::try_from(id.len())) else {
                continue;
            };
            out.put_u16(scheme_len);
            out.put_slice(scheme.as_bytes());
            out.put_u32(id_len);
            out.put_slice(id.as_bytes());
        }
        AuthList(out.freeze())
    }

    pub(crate) fn from_encoded(bytes: Bytes) -> AuthList {
        AuthList(bytes)
    }

    pub(crate) fn encoded(&self) -> &[u8] {
        &self.0
    }

    pub fn iter(&self) -> AuthIter<'_> {
        AuthIter { rest: &self.0 }
    }
}

impl fmt::Debug for AuthList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> FromIterator<&'a AuthId> for AuthList {
    fn from_iter<I: IntoIterator<Item = &'a AuthId>>(ids: I) -> Self {
        AuthList::new(ids.into_iter().map(AuthRef::from))
    }
}

/// Walks an `AuthList`; ends early at bytes that are none.
#[derive(Clone, Debug)]
pub struct AuthIter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for AuthIter<'a> {
    type Item = AuthRef<'a>;

    fn next(&mut self) -> Option<AuthRef<'a>> {
        let (len, rest) = self.rest.split_first_chunk::<2>()?;
        let (scheme, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        let (len, rest) = rest.split_first_chunk::<4>()?;
        let (id, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)?;
        self.rest = rest;
        Some(AuthRef { scheme: std::str::from_utf8(scheme).ok()?, id: std::str::from_utf8(id).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_survive_their_encoding_in_order() {
        let ids = [AuthId::new("digest", "bob:x"), AuthId::new("ip", "127.0.0.1"), AuthId::new("super", "")];
        let list: AuthList = ids.iter().collect();
        let back: Vec<AuthId> = list.iter().map(|a| AuthId::new(a.scheme, a.id)).collect();
        assert_eq!(back, ids);
    }

    #[test]
    fn bytes_that_are_no_list_end_it_quietly() {
        for len in 0..8 {
            assert_eq!(AuthList::from_encoded(Bytes::from_static(&[0xff; 8]).slice(..len)).iter().next(), None);
        }
    }
}
