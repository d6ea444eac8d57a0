//! Options of the form `--name value`, checked against the names that a command knows.

use std::str::FromStr;

use crate::failure::{Failure, Result};

/// What was given, in order.
#[derive(Debug)]
pub(crate) struct Options(Vec<(String, String)>);

impl Options {
    pub(crate) fn parse(args: &[String], known: &[&str], usage: &str) -> Result<Self> {
        let mut given = Vec::new();
        for pair in args.chunks(2) {
            let [name, value] = pair else { return Err(Failure::new(usage)) };
            if !known.contains(&name.as_str()) {
                return Err(Failure::new(format!("unknown option {name}\n{usage}")));
            }
            given.push((name.clone(), value.clone()));
        }
        Ok(Options(given))
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn number<N: FromStr>(&self, name: &str, default: N) -> Result<N> {
        let Some(value) = self.text(name) else { return Ok(default) };
        value.parse().map_err(|_| Failure::new(format!("{name} wants a number, not {value}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Options> {
        let args: Vec<String> = args.iter().map(|&word| word.to_owned()).collect();
        Options::parse(&args, &["--members", "--only"], "usage: x")
    }

    #[test]
    fn the_last_of_two_values_counts() {
        let options = parse(&["--members", "1", "--members", "3"]).unwrap();
        assert_eq!(options.number("--members", 0).unwrap(), 3);
    }

    #[test]
    fn an_unknown_option_is_answered_with_the_usage() {
        let failure = parse(&["--member", "1"]).unwrap_err().to_string();
        assert_eq!(failure, "unknown option --member\nusage: x");
    }

    #[test]
    fn a_word_where_a_number_belongs_is_refused() {
        assert!(parse(&["--members", "many"]).unwrap().number("--members", 1_u16).is_err());
    }
}
