//! `coordd cli`: the verbs of zkCli, once or line by line.
//!
//! ```text
//!   arguments or a line ─► Verb ─► run (requests over `client`) ─► Shown: text for people, JSON for programs
//! ```
//!
//! Rule: verbs, options and texts are zkCli's where it has them; one verb's failure ends a one-shot run with 1, is
//! shown and survived in the shell, and is what a script ends with.

mod quota;
mod run;
mod shell;
mod text;
mod verb;

use std::io;
use std::time::Duration;

use clap::{Args, Parser};
use serde_json::Value;
use tokio::sync::mpsc;

use super::Failed;
use super::client::{Client, Event, Options, Target};
use super::output::Output;
use shell::Shell;
use verb::{Line, Verb};

#[derive(Debug, Args)]
pub(super) struct CliArgs {
    /// Where to connect: HOST:PORT, several after commas, a chroot behind the last
    #[arg(short, long, default_value = "127.0.0.1:2181", value_name = "HOST:PORT[,…][/CHROOT]")]
    server: String,
    /// Session timeout in milliseconds
    #[arg(short, long, default_value_t = 30_000)]
    timeout: u32,
    /// Be content with a member that has no quorum, to read
    #[arg(short, long)]
    read_only: bool,
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// A verb and its arguments; none for a shell (`help` lists the verbs)
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// What a verb found, in both forms.
pub(super) struct Shown {
    text: String,
    value: Value,
}

impl Shown {
    fn new(text: impl Into<String>, value: Value) -> Shown {
        Shown { text: text.into(), value }
    }

    fn print(&self, output: Output) -> io::Result<()> {
        match output {
            Output::Json => super::output::json(&self.value),
            Output::Text if self.text.is_empty() => Ok(()),
            Output::Text => super::output::line(self.text.trim_end_matches('\n')),
        }
    }
}

/// A session that nobody closed does not end; its task may.
const ENDED: &str = "the session has ended";

type Events = mpsc::UnboundedReceiver<Event>;

pub(super) async fn run(args: CliArgs) -> Result<(), Failed> {
    let verb = match args.command.as_slice() {
        [] => None,
        words => Some(Line::try_parse_from(words).map_err(|error| Failed::Usage(Box::new(error)))?.verb),
    };
    let options = Options { timeout: Duration::from_millis(args.timeout.into()), read_only: args.read_only };
    let Some(verb) = verb else { return Shell::new(args.server, options, args.output).follow().await };
    let (client, mut events) = Client::connect(Target::parse(&args.server)?, &options).await?;
    let outcome = match verb {
        Verb::Watch { path, mode } => watch(&client, &mut events, &path, mode, args.output).await,
        verb => show(&client, verb, args.output).await,
    };
    client.close().await;
    outcome
}

async fn show(client: &Client, verb: Verb, output: Output) -> Result<(), Failed> {
    Ok(run::run(client, verb).await?.print(output)?)
}

/// Shows what happens below or at a path until Ctrl-C.
async fn watch(
    client: &Client,
    events: &mut Events,
    path: &str,
    mode: verb::Mode,
    output: Output,
) -> Result<(), Failed> {
    run::run(client, Verb::AddWatch { mode, path: path.to_owned() }).await?;
    loop {
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => return Ok(interrupted.map_err(|error| error.to_string())?),
            event = events.recv() => match event {
                Some(event) => text::event(client.target(), &event).print(output)?,
                None => return Err(Failed::Said(ENDED.to_owned())),
            },
        }
    }
}
