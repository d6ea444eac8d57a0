//! The shell: one command a line, and events between the lines.
//!
//! Rule: a script, which is what does not come from a terminal, ends with the worst that one of its lines came to; at
//! a terminal that was seen. Reason: zkCli ends with what the last line came to, and tells nobody that others failed.

use std::io::{self, IsTerminal};

use clap::{Parser, Subcommand, ValueEnum};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

use super::super::Failed;
use super::super::client::{Client, Event, Options, Target};
use super::super::output::{self, Output};
use super::verb::Verb;
use super::{ENDED, Events, Shown, run, text};

/// How many lines `history` shows.
const SHOWN: usize = 11;

#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_version_flag = true, name = "", help_template = "{subcommands}")]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
#[command(rename_all = "lower")]
enum Command {
    #[command(flatten)]
    Verb(Verb),
    /// End the session; the shell goes on
    Close,
    /// End the session and begin one, with the same server when none is named
    Connect {
        #[arg(value_name = "HOST:PORT[,…][/CHROOT]")]
        server: Option<String>,
    },
    /// Show the last lines
    History,
    /// Whether the events of watches are shown
    PrintWatches { state: Option<Switch> },
    /// End the session and the shell
    Quit,
    /// Run a line again, by its number in the history
    Redo { number: usize },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

pub(super) struct Shell {
    server: String,
    options: Options,
    output: Output,
    session: Option<(Client, Events)>,
    history: Vec<String>,
    watches: Switch,
    /// The worst so far, as an exit code.
    worst: u8,
}

/// Whether another line is read.
#[derive(PartialEq, Eq)]
enum Next {
    Line,
    End,
}

impl Shell {
    pub(super) fn new(server: String, options: Options, output: Output) -> Shell {
        Shell { server, options, output, session: None, history: Vec::new(), watches: Switch::On, worst: 0 }
    }

    /// Runs what standard input says, until it ends.
    pub(super) async fn follow(mut self) -> Result<(), Failed> {
        self.connect(None).await?;
        let followed = self.lines().await;
        self.close().await;
        followed?;
        match self.worst {
            0 => Ok(()),
            _ if io::stdin().is_terminal() => Ok(()),
            code => Err(Failed::Told(code)),
        }
    }

    async fn lines(&mut self) -> Result<(), Failed> {
        let mut lines = BufReader::new(stdin()).lines();
        let prompting = io::stdin().is_terminal() && self.output == Output::Text;
        loop {
            self.show_events()?;
            if prompting {
                output::write(&format!("[coordd {}] ", self.history.len()))?;
            }
            let line = tokio::select! {
                event = next(&mut self.session) => {
                    self.show_event(&event.ok_or_else(|| ENDED.to_owned())?)?;
                    continue;
                }
                line = lines.next_line() => line.map_err(|error| error.to_string())?,
            };
            let Some(line) = line else { return Ok(()) };
            if self.line(line.trim()).await? == Next::End {
                return Ok(());
            }
        }
    }

    /// An error is the end of the shell; what a command comes to is shown.
    async fn line(&mut self, line: &str) -> Result<Next, Failed> {
        if line.is_empty() {
            return Ok(Next::Line);
        }
        let outcome = match expand(line, &self.history) {
            Ok(line) => {
                self.history.push(line.clone());
                self.run(&line).await
            }
            Err(why) => Err(Failed::Said(why)),
        };
        let code = match outcome {
            Ok(next) => return Ok(next),
            Err(Failed::Said(why)) => {
                eprintln!("{why}");
                1
            }
            Err(Failed::Usage(error)) => {
                let _ = error.print();
                u8::try_from(error.exit_code()).unwrap_or(2)
            }
            Err(unheard @ Failed::Told(_)) => return Err(unheard),
        };
        self.worst = self.worst.max(code);
        Ok(Next::Line)
    }

    async fn run(&mut self, line: &str) -> Result<Next, Failed> {
        let wrong = |error| Failed::Usage(Box::new(error));
        match parse(line).map_err(wrong)? {
            // Events are shown between the lines anyway.
            Command::Verb(Verb::Watch { mode, path }) => self.verb(Verb::AddWatch { mode, path }).await?,
            Command::Verb(verb) => self.verb(verb).await?,
            Command::Close => self.close().await,
            Command::Connect { server } => self.connect(server).await?,
            Command::History => self.show_history()?,
            Command::PrintWatches { state } => self.print_watches(state)?,
            Command::Quit => return Ok(Next::End),
            // The history has the lines that stood for such ones, so this is none of them.
            Command::Redo { number } => return Err(Failed::Said(no_line(number))),
        }
        Ok(Next::Line)
    }

    async fn verb(&mut self, verb: Verb) -> Result<(), Failed> {
        let (client, _) = self.session.as_ref().ok_or_else(|| "Not connected".to_owned())?;
        let outcome = run::run(client, verb).await;
        // What this session did itself, it was told of before the answer.
        self.show_events()?;
        Ok(outcome?.print(self.output)?)
    }

    async fn connect(&mut self, server: Option<String>) -> Result<(), Failed> {
        self.close().await;
        let server = server.unwrap_or_else(|| self.server.clone());
        self.session = Some(Client::connect(Target::parse(&server)?, &self.options).await?);
        self.server = server;
        Ok(())
    }

    async fn close(&mut self) {
        if let Some((client, _)) = self.session.take() {
            client.close().await;
        }
    }

    fn print_watches(&mut self, state: Option<Switch>) -> io::Result<()> {
        let Some(state) = state else {
            let state = if self.watches == Switch::On { "on" } else { "off" };
            return Shown::new(format!("printwatches is {state}"), json!({ "printwatches": state })).print(self.output);
        };
        self.watches = state;
        Ok(())
    }

    fn show_history(&self) -> io::Result<()> {
        let first = self.history.len().saturating_sub(SHOWN);
        let numbered: Vec<_> = self.history.iter().enumerate().skip(first).collect();
        let lines: Vec<_> = numbered.iter().map(|(number, line)| format!("{number} - {line}")).collect();
        Shown::new(lines.join("\n"), json!(numbered)).print(self.output)
    }

    /// What came and was not waited for.
    fn show_events(&mut self) -> io::Result<()> {
        while let Some((_, events)) = &mut self.session
            && let Ok(event) = events.try_recv()
        {
            self.show_event(&event)?;
        }
        Ok(())
    }

    fn show_event(&self, event: &Event) -> io::Result<()> {
        match &self.session {
            Some(_) if matches!(event, Event::Changed { .. }) && self.watches == Switch::Off => Ok(()),
            Some((client, _)) => text::event(client.target(), event).print(self.output),
            None => Ok(()),
        }
    }
}

/// The next event of a session; never one without a session.
async fn next(session: &mut Option<(Client, Events)>) -> Option<Event> {
    match session {
        Some((_, events)) => events.recv().await,
        None => std::future::pending().await,
    }
}

fn no_line(number: usize) -> String {
    format!("there is no line {number} to run again; history shows them")
}

/// The line to run: `redo N` stands for line N.
fn expand(line: &str, history: &[String]) -> Result<String, String> {
    match parse(line) {
        Ok(Command::Redo { number }) => history.get(number).cloned().ok_or_else(|| no_line(number)),
        _ => Ok(line.to_owned()),
    }
}

fn parse(line: &str) -> Result<Command, clap::Error> {
    let words = words(line).map_err(|why| clap::Error::raw(clap::error::ErrorKind::InvalidValue, why + "\n"))?;
    Line::try_parse_from(words).map(|line| line.command)
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
        assert_eq!(expand("redo 1", &history).as_deref(), Ok("get /a"));
        assert!(expand("redo 7", &history).unwrap_err().starts_with("there is no line 7 "));
        assert_eq!(expand("redo x", &history).as_deref(), Ok("redo x"), "which is then not understood");
        assert!(parse("redo x").is_err());
    }
}
