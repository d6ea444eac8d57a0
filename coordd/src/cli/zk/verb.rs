//! The verbs, with zkCli's options.

use clap::{Parser, Subcommand, ValueEnum};

/// One command as a person writes it.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_version_flag = true, name = "", help_template = "{subcommands}")]
pub(super) struct Line {
    #[command(subcommand)]
    pub verb: Verb,
}

/// How `addWatch` watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Mode {
    #[value(name = "PERSISTENT")]
    Persistent,
    #[value(name = "PERSISTENT_RECURSIVE")]
    PersistentRecursive,
}

/// Limits of a subtree: soft (`-n`, `-b`) and hard (`-N`, `-B`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
#[group(required = true, multiple = true)]
pub(super) struct Limits {
    /// Znodes
    #[arg(short = 'n')]
    pub count: Option<i64>,
    /// Bytes
    #[arg(short = 'b')]
    pub bytes: Option<i64>,
    /// Znodes, beyond which creates are refused
    #[arg(short = 'N')]
    pub hard_count: Option<i64>,
    /// Bytes, beyond which writes are refused
    #[arg(short = 'B')]
    pub hard_bytes: Option<i64>,
}

#[derive(Debug, Subcommand)]
#[command(rename_all = "camelCase")]
pub(super) enum Verb {
    /// Gain an identity: addauth digest user:password
    #[command(name = "addauth")]
    AddAuth { scheme: String, auth: Option<String> },
    /// Watch a znode, or all below it, for ever
    AddWatch {
        #[arg(short, value_enum, default_value = "PERSISTENT_RECURSIVE", ignore_case = true)]
        mode: Mode,
        path: String,
    },
    /// Show what happens at and below a path until Ctrl-C
    Watch {
        #[arg(short, value_enum, default_value = "PERSISTENT_RECURSIVE", ignore_case = true)]
        mode: Mode,
        path: String,
    },
    /// Show the ensemble's members
    Config {
        /// Only the version and the clients' addresses
        #[arg(short)]
        clients: bool,
        #[arg(short)]
        watch: bool,
        #[arg(short)]
        stat: bool,
    },
    /// Create a znode
    Create {
        /// Sequential: a number is appended to the name
        #[arg(short)]
        sequential: bool,
        /// Ephemeral: goes with this session
        #[arg(short, conflicts_with_all = ["container", "ttl"])]
        ephemeral: bool,
        /// Container: goes when its last child goes
        #[arg(short, conflicts_with_all = ["sequential", "ttl"])]
        container: bool,
        /// Goes when it is not changed for so many milliseconds and has no children
        #[arg(short)]
        ttl: Option<i64>,
        path: String,
        data: Option<String>,
        acl: Option<String>,
    },
    /// Delete a znode
    Delete {
        #[arg(short, default_value_t = -1, allow_negative_numbers = true)]
        version: i32,
        path: String,
    },
    /// Delete a znode and all below it
    #[command(name = "deleteall")]
    DeleteAll {
        path: String,
        /// Deletes in one request
        #[arg(short, default_value_t = 1000)]
        batch: usize,
    },
    /// Show a znode's data
    Get {
        #[arg(short)]
        stat: bool,
        #[arg(short)]
        watch: bool,
        /// As base64
        #[arg(short)]
        base64: bool,
        /// As a hex dump
        #[arg(short = 'x', conflicts_with = "base64")]
        hex: bool,
        path: String,
    },
    /// Show who may do what with a znode
    GetAcl {
        #[arg(short)]
        stat: bool,
        path: String,
    },
    /// Count the znodes below one
    GetAllChildrenNumber { path: String },
    /// List the ephemerals of this session
    GetEphemerals { path: Option<String> },
    /// Take limits away: -n -b -N -B, all of them when none is named
    #[command(name = "delquota")]
    DelQuota {
        #[arg(short = 'n')]
        count: bool,
        #[arg(short = 'b')]
        bytes: bool,
        #[arg(short = 'N')]
        hard_count: bool,
        #[arg(short = 'B')]
        hard_bytes: bool,
        path: String,
    },
    /// Show limits and usage of a subtree
    #[command(name = "listquota")]
    ListQuota { path: String },
    /// Limit a subtree
    #[command(name = "setquota")]
    SetQuota {
        #[command(flatten)]
        limits: Limits,
        path: String,
    },
    /// List children
    Ls {
        #[arg(short)]
        stat: bool,
        #[arg(short)]
        watch: bool,
        /// All below
        #[arg(short = 'R')]
        recursive: bool,
        path: String,
    },
    /// Forget the watches of a path
    #[command(name = "removewatches")]
    RemoveWatches {
        path: String,
        #[arg(short, conflicts_with = "data")]
        children: bool,
        #[arg(short)]
        data: bool,
        #[arg(short, conflicts_with_all = ["children", "data"])]
        any: bool,
        /// Here, even if the server cannot be reached
        #[arg(short)]
        local: bool,
    },
    /// Change a znode's data
    Set {
        #[arg(short)]
        stat: bool,
        #[arg(short, default_value_t = -1, allow_negative_numbers = true)]
        version: i32,
        /// The data is given as base64
        #[arg(short)]
        base64: bool,
        path: String,
        data: String,
    },
    /// Change who may do what: scheme:id:perms,…
    SetAcl {
        #[arg(short)]
        stat: bool,
        #[arg(short, default_value_t = -1, allow_negative_numbers = true)]
        version: i32,
        /// All below, too
        #[arg(short = 'R')]
        recursive: bool,
        path: String,
        acl: String,
    },
    /// Show a znode's Stat
    Stat {
        #[arg(short)]
        watch: bool,
        path: String,
    },
    /// Wait until this member has all that was committed before
    Sync { path: String },
    /// Show this program's version
    Version,
    /// Show this session's identities
    #[command(name = "whoami")]
    WhoAmI,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Verb, clap::Error> {
        Line::try_parse_from(line.split(' ')).map(|line| line.verb)
    }

    #[test]
    fn options_stand_before_or_behind_as_in_zkcli() {
        for line in ["set -v 3 /a x", "set /a x -v 3"] {
            assert!(matches!(parse(line), Ok(Verb::Set { version: 3, .. })), "{line}");
        }
        assert!(matches!(parse("delete -v -1 /a"), Ok(Verb::Delete { version: -1, .. })));
        assert!(matches!(parse("create -e -s /a"), Ok(Verb::Create { ephemeral: true, sequential: true, .. })));
        assert!(matches!(parse("getAcl -s /a"), Ok(Verb::GetAcl { stat: true, .. })));
        assert!(matches!(parse("setAcl -R /a world:anyone:r"), Ok(Verb::SetAcl { recursive: true, .. })));
        assert!(matches!(parse("removewatches /a -d -l"), Ok(Verb::RemoveWatches { local: true, data: true, .. })));
        assert!(matches!(parse("ls -R -s /"), Ok(Verb::Ls { recursive: true, stat: true, .. })));
        assert!(matches!(
            parse("setquota -n 5 -B 6 /a"),
            Ok(Verb::SetQuota { limits: Limits { count: Some(5), .. }, .. })
        ));
    }

    #[test]
    fn modes_that_exclude_each_other_are_refused() {
        for line in
            ["create -e -c /a", "create -c -s /a", "create -e -t 5 /a", "get -x -b /a", "setquota /a", "frobnicate"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
