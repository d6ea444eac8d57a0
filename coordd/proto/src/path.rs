//! Which paths are legal, exactly as ZooKeeper's PathUtils says.
//!
//! Rule: characters are judged as Java's UTF-16 units, so everything beyond the Basic Multilingual Plane is refused
//! with the surrogates it is made of, and the private-use area with them.

use std::ops::RangeInclusive;

/// Why a path is not legal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PathError {
    #[error("the path is empty")]
    Empty,
    #[error("the path does not start with /")]
    NotAbsolute,
    #[error("the path ends with /")]
    TrailingSlash,
    #[error("the path has an empty part")]
    EmptyPart,
    #[error("the path has a relative part (. or ..)")]
    RelativePart,
    #[error("the path has a character that is not allowed: U+{0:04X}")]
    BadCharacter(u32),
}

const REFUSED: [RangeInclusive<u32>; 5] =
    [0..=0x1f, 0x7f..=0x9f, 0xd800..=0xf8ff, 0xfff0..=0xffff, 0x1_0000..=0x10_ffff];

/// Whether `path` may name a znode.
///
/// # Errors
/// The first rule that it breaks.
pub fn validate_path(path: &str) -> Result<(), PathError> {
    if path.is_empty() {
        return Err(PathError::Empty);
    }
    let Some(parts) = path.strip_prefix('/') else { return Err(PathError::NotAbsolute) };
    if parts.is_empty() {
        return Ok(());
    }
    if path.ends_with('/') {
        return Err(PathError::TrailingSlash);
    }
    for part in parts.split('/') {
        match part {
            "" => return Err(PathError::EmptyPart),
            "." | ".." => return Err(PathError::RelativePart),
            _ => {}
        }
    }
    let bad = path.chars().map(u32::from).find(|c| REFUSED.iter().any(|range| range.contains(c)));
    bad.map_or(Ok(()), |c| Err(PathError::BadCharacter(c)))
}

/// The path of the znode above; `None` for the root.
pub fn parent(path: &str) -> Option<&str> {
    match path.rfind('/')? {
        0 if path.len() == 1 => None,
        0 => Some("/"),
        slash => Some(&path[..slash]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legal_paths_are_legal() {
        for path in ["/", "/a", "/a/b", "/a.b/..c/c..", "/\u{a0}", "/\u{d7ff}", "/\u{f900}", "/\u{ffef}"] {
            assert_eq!(validate_path(path), Ok(()), "{path:?}");
        }
    }

    #[test]
    fn each_rule_refuses() {
        for (path, why) in [
            ("", PathError::Empty),
            ("a", PathError::NotAbsolute),
            ("/a/", PathError::TrailingSlash),
            ("//", PathError::TrailingSlash),
            ("/a//b", PathError::EmptyPart),
            ("/a/./b", PathError::RelativePart),
            ("/..", PathError::RelativePart),
            ("/\0", PathError::BadCharacter(0)),
            ("/\u{1f}", PathError::BadCharacter(0x1f)),
            ("/\u{9f}", PathError::BadCharacter(0x9f)),
            ("/\u{e000}", PathError::BadCharacter(0xe000)),
            ("/\u{fff0}", PathError::BadCharacter(0xfff0)),
            ("/\u{1f600}", PathError::BadCharacter(0x1f600)),
        ] {
            assert_eq!(validate_path(path), Err(why), "{path:?}");
        }
    }

    #[test]
    fn the_root_has_no_parent() {
        assert_eq!((parent("/"), parent("/a"), parent("/a/b")), (None, Some("/"), Some("/a")));
    }
}
