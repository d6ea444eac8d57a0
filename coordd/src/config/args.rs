//! The flags of `coordd serve`, made from the table of settings.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::kind::Kind;
use super::settings::{self, Fallback, Setting};
use super::{Config, ConfigError};

/// What was given on the command line; not yet a configuration.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    file: Option<PathBuf>,
    values: BTreeMap<String, String>,
}

impl Flags {
    /// The same with a value for what no flag says.
    #[must_use]
    pub fn or(mut self, key: &str, value: &str) -> Flags {
        self.values.entry(key.to_owned()).or_insert_with(|| value.to_owned());
        self
    }

    /// The whole configuration: these flags, the environment, the file, the defaults.
    ///
    /// # Errors
    /// The first setting that is wrong, with its source and what is allowed.
    pub fn load(&self) -> Result<Config, ConfigError> {
        let variable = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        let file = self.file.clone().or_else(|| variable("COORDD_CONFIG").map(PathBuf::from));
        Config::load(&self.values, variable, file.as_deref())
    }
}

/// As they are typed.
impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.iter().map(|file| ("config".to_owned(), file.display().to_string()));
        let values = self.values.iter().map(|(key, value)| (key.replace('_', "-"), value.clone()));
        let typed: Vec<_> = file.chain(values).map(|(flag, value)| format!("--{flag}={value}")).collect();
        f.write_str(&typed.join(" "))
    }
}

fn help(setting: &Setting) -> String {
    match setting.default {
        Fallback::Value(text) => format!("{} [default: {text}]", setting.about),
        Fallback::Derived(how) => format!("{} [default: {how}]", setting.about),
        Fallback::Nothing | Fallback::Required => setting.about.to_owned(),
    }
}

fn placeholder(kind: Kind) -> &'static str {
    match kind {
        Kind::Name | Kind::Text => "TEXT",
        Kind::Path => "PATH",
        Kind::Switch => "true|false",
        Kind::OneOf(_) => "WORD",
        Kind::Millis { .. } => "MS",
        Kind::Count { .. } => "N",
        Kind::Bytes { .. } => "BYTES",
        Kind::Listen => "ADDR:PORT",
        Kind::HostPort => "HOST:PORT",
        Kind::Members => "NAME=HOST:PORT,…",
        Kind::UserDigest => "USER:DIGEST",
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new("config").long("config").value_name("FILE").value_parser(clap::value_parser!(PathBuf));
        let mut command = command.arg(file.help("A TOML file with the same keys; also COORDD_CONFIG"));
        for setting in settings::all() {
            // clap keeps names for as long as the program runs; there are few, and they are made once.
            let long: &'static str = setting.key.replace('_', "-").leak();
            let mut arg = Arg::new(setting.key).long(long).help(help(&setting));
            arg = arg.value_name(placeholder(setting.kind)).help_heading(setting.group);
            if matches!(setting.kind, Kind::Switch) {
                arg = arg.num_args(0..=1).require_equals(true).default_missing_value("true");
            }
            command = command.arg(arg);
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Flags::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.file = matches.get_one::<PathBuf>("config").cloned();
        for setting in settings::all() {
            if let Some(value) = matches.get_one::<String>(setting.key) {
                self.values.insert(setting.key.to_owned(), value.clone());
            }
        }
        Ok(())
    }
}
