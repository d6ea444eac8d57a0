//! The ETag of an answer: which change it is, as whom it was shown.
//!
//! ```text
//!   "4294967399"            anonymous         "4294967399-1f2e3d4c"   with credentials        …-f2  other decoders
//!   "4294967399-gone"       there is nothing, and nothing that the caller may read says since when
//! ```
//!
//! Rule: equal on all members for equal bytes. Callers with other identities see other things of one change, so theirs
//! stand in the tag; and a release whose decoders answer otherwise raises `DECODERS`, or whoever has the old answer
//! would keep it. The number of an absence alone may differ: it is that of a state, or of the topic that was asked.
//! Reason: a cache may send the tags of all variants that it holds, and pick by the one that comes back.

use coordd_proto::AuthId;
use sha2::{Digest, Sha256};

const DECODERS: u32 = 1;
const UNTOLD: &str = "-gone";

pub(super) fn etag(newest: i64, auth: &[AuthId]) -> String {
    format!("\"{newest}{}\"", variant(auth, DECODERS))
}

/// The tag of an absence whose number is that of the state which was read. No answer has it.
pub(super) fn of_untold(zxid: i64, auth: &[AuthId]) -> String {
    format!("\"{zxid}{}{UNTOLD}\"", variant(auth, DECODERS))
}

/// What stands behind the number.
fn variant(auth: &[AuthId], decoders: u32) -> String {
    let mut variant = String::new();
    if !auth.is_empty() {
        let mut hash = Sha256::new();
        for id in auth {
            hash.update((id.scheme.len() as u64).to_be_bytes());
            hash.update(&id.scheme);
            hash.update((id.id.len() as u64).to_be_bytes());
            hash.update(&id.id);
        }
        let hash = hash.finalize();
        variant.push('-');
        hash.iter().take(4).for_each(|byte| variant.push_str(&format!("{byte:02x}")));
    }
    if decoders > 1 {
        variant.push_str(&format!("-f{decoders}"));
    }
    variant
}

fn each(tags: &str) -> impl Iterator<Item = &str> {
    tags.split(',').map(|tag| tag.trim().trim_start_matches("W/"))
}

/// Whether the answer with this tag is among those that the caller has.
pub(super) fn has(tags: Option<&str>, etag: &str) -> bool {
    tags.is_some_and(|tags| each(tags).any(|tag| tag == "*" || tag == etag))
}

/// Whether any answer at all would do (`*`), where a tag has to say which one the caller has.
pub(super) fn is_any(tags: &str) -> bool {
    each(tags).any(|tag| tag == "*")
}

/// A tag's number and what stands behind it.
fn parts(tag: &str) -> Option<(i64, &str)> {
    let tag = tag.strip_prefix('"')?.strip_suffix('"')?;
    let (number, variant) = tag.split_at(tag.find('-').unwrap_or(tag.len()));
    number.parse().ok().filter(|zxid| *zxid >= 0).map(|zxid| (zxid, variant))
}

/// The newest change among `tags`.
pub(super) fn newest(tags: &str) -> Option<i64> {
    each(tags).filter_map(parts).map(|(number, _)| number).max()
}

/// The numbers of those among `tags` that differ from `etag` by their number at most.
pub(super) fn alike<'a>(tags: &'a str, etag: &'a str) -> impl Iterator<Item = i64> {
    let wanted = parts(etag).map(|(_, variant)| variant);
    each(tags).filter_map(parts).filter(move |(_, variant)| Some(*variant) == wanted).map(|(number, _)| number)
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
        assert_eq!(variant(&[], 2), "-f2");
        assert!(has(Some("\"1\", W/\"7\""), &etag(7, &[])) && has(Some("*"), &of_bob));
        assert!(!has(Some("\"7\""), &of_bob) && !has(None, &of_bob));
        assert_eq!(newest(&format!("\"3\", W/{of_bob}, \"x\", \"-1\"")), Some(7));
    }
    #[test]
    fn tags_are_alike_that_differ_by_their_number_only() {
        let bob = [AuthId::new("digest", "bob:x")];
        let gone = of_untold(60, &bob);
        assert!(gone.ends_with("-gone\"") && newest(&gone) == Some(60));
        assert!(!has(Some(&etag(60, &bob)), &gone));
        let tags = format!("\"3\", W/\"9\", \"5-gone\", {}, {gone}, *", etag(7, &bob));
        let numbers = |etag: &str| alike(&tags, etag).collect::<Vec<_>>();
        assert_eq!((numbers("\"1\""), numbers("\"1-gone\"")), (vec![3, 9], vec![5]));
        assert_eq!((numbers(&etag(1, &bob)), numbers(&of_untold(1, &bob))), (vec![7], vec![60]));
        assert!(is_any(&tags) && !is_any("\"*\""));
    }
}
