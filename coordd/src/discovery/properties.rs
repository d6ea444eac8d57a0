//! A subtree of configuration as Java's properties and as lines for a POSIX shell.
//!
//! ```text
//!   db/url = x y     properties  db.url=x y       env  DB_URL='x y'
//! ```
//!
//! Rule: two znodes that would be one key are a failure that names both; of two values one would be lost. What is left
//! out is named in comments, which both forms have: who reads them knows of each value. What is not plain is escaped as
//! `java.util.Properties` reads it, and quoted as a shell does.

use std::collections::BTreeMap;

use coordd_api::discovery::ConfigTree;

use super::Failure;

/// Each value under the key that `name` makes of its own; the znode that was asked for has none and is left out.
fn renamed(tree: &ConfigTree, name: fn(&str) -> String) -> Result<BTreeMap<String, &str>, Failure> {
    let mut keys: BTreeMap<String, (&str, &str)> = BTreeMap::new();
    for (key, value) in tree.values.iter().filter(|(key, _)| !key.is_empty()) {
        let renamed = name(key);
        if let Some((first, _)) = keys.insert(renamed.clone(), (key, value)) {
            return Err(Failure::SameKey { first: first.to_owned(), second: key.clone(), key: renamed });
        }
    }
    Ok(keys.into_iter().map(|(key, (_, value))| (key, value)).collect())
}

/// A comment for each value that is not in the text; the znode that was asked for has no line in any case.
fn left_out(tree: &ConfigTree) -> String {
    let below = tree.left_out.iter().filter(|left| !left.key.is_empty());
    below.map(|left| format!("# left out: {}: {}\n", left.key.escape_default(), left.reason)).collect()
}

pub(crate) fn properties(tree: &ConfigTree) -> Result<String, Failure> {
    let mut out = left_out(tree);
    for (key, value) in renamed(tree, |key| key.replace('/', "."))? {
        escape(&mut out, &key, true);
        out.push('=');
        escape(&mut out, value, false);
        out.push('\n');
    }
    Ok(out)
}

fn escape(out: &mut String, text: &str, is_key: bool) {
    let mut leading = true;
    for char in text.chars() {
        match char {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{c}' => out.push_str("\\f"),
            ' ' if is_key || leading => out.push_str("\\ "),
            '\\' => out.push_str("\\\\"),
            '=' | ':' | '#' | '!' if is_key || leading => out.extend(['\\', char]),
            ' '..='~' => out.push(char),
            _ => {
                let mut units = [0; 2];
                let units = char.encode_utf16(&mut units).iter();
                units.for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
            }
        }
        leading = false;
    }
}

pub(crate) fn env(tree: &ConfigTree) -> Result<String, Failure> {
    let mut out = left_out(tree);
    for (key, value) in renamed(tree, variable)? {
        out.push_str(&key);
        out.push('=');
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./:,@%+".contains(&b);
        if value.bytes().all(plain) {
            out.push_str(value);
        } else {
            out.push_str(&format!("'{}'", value.replace('\'', "'\\''")));
        }
        out.push('\n');
    }
    Ok(out)
}

fn variable(key: &str) -> String {
    let letter = |char: char| if char.is_ascii_alphanumeric() { char.to_ascii_uppercase() } else { '_' };
    let name: String = key.chars().map(letter).collect();
    if name.starts_with(|first: char| first.is_ascii_digit()) { format!("_{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use coordd_api::discovery::LeftOut;

    use super::*;

    fn tree(values: &[(&str, &str)]) -> ConfigTree {
        let values = values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        ConfigTree { path: "/c".to_owned(), zxid: 1, values, left_out: Vec::new() }
    }

    #[test]
    fn properties_are_escaped_as_java_reads_them() {
        let tree = tree(&[("", "top"), ("db/url", "jdbc:x=y#z"), ("a b", " é\n\\"), ("hi", "😀")]);
        let expected = "a\\ b=\\ \\u00e9\\n\\\\\ndb.url=jdbc:x=y#z\nhi=\\ud83d\\ude00\n";
        assert_eq!(properties(&tree).unwrap(), expected);
    }

    #[test]
    fn a_shell_reads_each_value_as_one_word_and_runs_none() {
        let tree = tree(&[("db/url", "a b"), ("db/x-y", "it's $(rm)\n"), ("9", "plain/1")]);
        assert_eq!(env(&tree).unwrap(), "DB_URL='a b'\nDB_X_Y='it'\\''s $(rm)\n'\n_9=plain/1\n");
    }

    #[test]
    fn a_value_that_is_left_out_is_a_comment_in_both_forms() {
        let left = |key: &str| LeftOut { key: key.to_owned(), reason: "is no UTF-8 text".to_owned() };
        let tree = ConfigTree { left_out: vec![left(""), left("db\n\u{e9}")], ..tree(&[("a", "1")]) };
        let comment = "# left out: db\\n\\u{e9}: is no UTF-8 text\n";
        assert_eq!(properties(&tree).unwrap(), format!("{comment}a=1\n"));
        assert_eq!(env(&tree).unwrap(), format!("{comment}A=1\n"));
    }

    #[test]
    fn two_keys_that_become_one_are_a_failure_that_names_both() {
        let failure = env(&tree(&[("a/b", "1"), ("a_b", "2")])).unwrap_err();
        assert_eq!(failure.to_string(), "a/b and a_b are both A_B");
        assert!(properties(&tree(&[("a/b", "1"), ("a.b", "2")])).is_err());
    }
}
