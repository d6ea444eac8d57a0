//! Files of `e2e/kubernetes/files` with their `@NAMES@` filled in.

use std::fs;
use std::path::Path;

use crate::failure::{Failure, Result, Tried};

/// Writes the text with each `@NAME@` replaced; one that is left over is a failure.
pub(super) fn write(file: &Path, text: &str, values: &[(&str, &str)]) -> Result<()> {
    let filled = fill(text, values)?;
    fs::write(file, filled).tried(|| format!("write {}", file.display()))
}

fn fill(text: &str, values: &[(&str, &str)]) -> Result<String> {
    let filled = values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("@{name}@"), value));
    let is_name = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase());
    // Between each two signs stands either a name or plain text.
    match filled.split('@').skip(1).find(|word| is_name(word)) {
        Some(name) => Err(Failure::new(format!("nothing is given for @{name}@"))),
        None => Ok(filled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_filled_in_and_none_may_be_left_over() {
        assert_eq!(fill("a @B@ and \"$@\" @B@", &[("B", "x")]).unwrap(), "a x and \"$@\" x");
        assert!(fill("a @B@ @C@", &[("B", "x")]).unwrap_err().to_string().ends_with("@C@"));
    }
}
