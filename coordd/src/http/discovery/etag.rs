//! The ETag of an answer: which change it is, as whom it was shown.
//!
//! ```text
//!   "4294967399"            anonymous         "4294967399-1f2e3d4c"   with credentials        …-f2  other decoders
//! ```
//!
//! Rule: equal on all members for equal bytes. Callers with other identities see other things of one change, so theirs
//! stand in the tag; and a release whose decoders answer otherwise raises `DECODERS`, or whoever has the old answer
//! would keep it. Reason: a cache may send the tags of all variants that it holds, and pick by the one that comes back.

use coordd_proto::AuthId;
use sha2::{Digest, Sha256};

const DECODERS: u32 = 1;

pub(super) fn etag(newest: i64, auth: &[AuthId]) -> String {
    tag(newest, auth, DECODERS)
}

fn tag(newest: i64, auth: &[AuthId], decoders: u32) -> String {
    let mut tag = format!("\"{newest}");
    if !auth.is_empty() {
        let mut hash = Sha256::new();
        for id in auth {
            hash.update((id.scheme.len() as u64).to_be_bytes());
            hash.update(&id.scheme);
            hash.update((id.id.len() as u64).to_be_bytes());
            hash.update(&id.id);
        }
        let hash = hash.finalize();
        tag.push('-');
        hash.iter().take(4).for_each(|byte| tag.push_str(&format!("{byte:02x}")));
    }
    if decoders > 1 {
        tag.push_str(&format!("-f{decoders}"));
    }
    tag.push('"');
    tag
}

fn each(tags: &str) -> impl Iterator<Item = &str> {
    tags.split(',').map(|tag| tag.trim().trim_start_matches("W/"))
}

/// Whether the answer with this tag is among those that the caller has.
pub(super) fn has(tags: Option<&str>, etag: &str) -> bool {
    tags.is_some_and(|tags| each(tags).any(|tag| tag == "*" || tag == etag))
}

/// The newest change among `tags`.
pub(super) fn newest(tags: &str) -> Option<i64> {
    let number = |tag: &str| {
        let tag = tag.trim_matches('"');
        tag[..tag.find('-').unwrap_or(tag.len())].parse().ok().filter(|zxid| *zxid >= 0)
    };
    each(tags).filter_map(number).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_and_which_decoders_stand_in_the_tag() {
        let bob = [AuthId::new("digest", "bob:x")];
        assert_eq!(etag(7, &[]), "\"7\"");
        let (of_bob, of_eve) = (etag(7, &bob), etag(7, &[AuthId::new("digest", "eve:x")]));
        assert!(of_bob.len() == 12 && of_bob != of_eve, "{of_bob} {of_eve}");
        assert_ne!(of_bob, etag(7, &[AuthId::new("digestb", "ob:x")]));
        assert_eq!(tag(7, &[], 2), "\"7-f2\"");
        assert!(has(Some("\"1\", W/\"7\""), &etag(7, &[])) && has(Some("*"), &of_bob));
        assert!(!has(Some("\"7\""), &of_bob) && !has(None, &of_bob));
        assert_eq!(newest(&format!("\"3\", W/{of_bob}, \"x\", \"-1\"")), Some(7));
    }
}
