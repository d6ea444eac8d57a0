//! The shell: one command a line, `history`, `redo N`, `help`, `quit`; events between the lines.

use std::io::{IsTerminal, Write};

use clap::Parser;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

use super::super::client::Client;
use super::super::output::Output;
use super::verb::{Line, Verb};
use super::{Events, run, text};

/// How many lines `history` shows.
const SHOWN: usize = 11;

pub(super) async fn follow(client: &Client, events: &mut Events, output: Output) -> Result<(), String> {
    let mut lines = BufReader::new(stdin()).lines();
    let mut history: Vec<String> = Vec::new();
    let at_terminal = std::io::stdin().is_terminal() && output == Output::Text;
    loop {
        if at_terminal {
            prompt(history.len());
        }
        let line = tokio::select! {
            event = events.recv() => match event {
                Some(event) => {
                    text::event(client.target(), &event).print(output);
                    continue;
                }
                None => return Err("the session has ended".to_owned()),
            },
            line = lines.next_line() => line.map_err(|error| error.to_string())?,
        };
        let Some(line) = line else { return Ok(()) };
        let Some(line) = expand(line.trim(), &history) else { continue };
        history.push(line.clone());
        match line.as_str() {
            "quit" | "close" => return Ok(()),
            "history" => show(&history),
            _ => command(client, &line, output).await,
        }
    }
}

fn prompt(number: usize) {
    print!("[coordd {number}] ");
    // A terminal that is gone ends the input, too.
    let _ = std::io::stdout().flush();
}

/// The line to run: `redo N` stands for line N.
fn expand(line: &str, history: &[String]) -> Option<String> {
    let Some(number) = line.strip_prefix("redo ") else { return (!line.is_empty()).then(|| line.to_owned()) };
    let found = number.trim().parse::<usize>().ok().and_then(|number| history.get(number));
    if found.is_none() {
        eprintln!("there is no line {number}; history shows them");
    }
    found.cloned()
}

fn show(history: &[String]) {
    let first = history.len().saturating_sub(SHOWN);
    history.iter().enumerate().skip(first).for_each(|(number, line)| println!("{number} - {line}"));
}

async fn command(client: &Client, line: &str, output: Output) {
    let words = match words(line) {
        Ok(words) => words,
        Err(why) => return eprintln!("{why}"),
    };
    match Line::try_parse_from(words) {
        Ok(Line { verb: Verb::Watch { mode, path } }) => {
            // Events are shown between the lines anyway.
            report(run::run(client, Verb::AddWatch { mode, path }).await, output);
        }
        Ok(Line { verb }) => report(run::run(client, verb).await, output),
        Err(error) => {
            let _ = error.print();
        }
    }
}

fn report(outcome: Result<super::Shown, String>, output: Output) {
    match outcome {
        Ok(shown) => shown.print(output),
        Err(why) => eprintln!("{why}"),
    }
}

/// Splits at spaces; quotes of either kind hold together.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    if let Some(open) = quote {
        return Err(format!("a {open} has no end"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_words_together() {
        assert_eq!(words("set /a  'x y' \"\"").unwrap(), ["set", "/a", "x y", ""]);
        assert_eq!(words("set /a 'x").unwrap_err(), "a ' has no end");
    }

    #[test]
    fn redo_stands_for_an_earlier_line() {
        let history = ["ls /".to_owned(), "get /a".to_owned()];
        assert_eq!(expand("redo 1", &history).as_deref(), Some("get /a"));
        assert_eq!(expand("redo 7", &history), None);
        assert_eq!(expand("", &history), None);
    }
}
