//! `coordd admin`: for people, what an operator does through the same API.
//!
//! ```text
//!   look at the status (any member) ─► find who is meant, by name or id ─► ask the leader, naming the membership seen
//! ```
//!
//! Rule: of the addresses given, each is asked in turn until one is the leader. A change that lost a race is not
//! repeated. Reason: whoever changed the membership in between had a reason; the person should see it first.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use coordd_api::{
    AddMember, Addresses, AdminStatus, Bootstrap, Client, ClientError, Drain, EnsembleView, MemberRole, Promote,
    Recover, RefusalCode, Replace, Seat, Snapshot, TransferLeader,
};
use serde::Serialize;
use tokio::io::AsyncWriteExt;

use super::Failed;
use super::output::{self, Output};

#[derive(Debug, Args)]
pub(super) struct AdminArgs {
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    call: Call,
}

/// Where the admin port is and how it lets people in.
#[derive(Debug, Args)]
pub(super) struct Access {
    /// Admin addresses, comma-separated; each is asked until one leads
    #[arg(short, long, default_value = "127.0.0.1:9080", value_delimiter = ',', value_name = "HOST:PORT")]
    server: Vec<String>,
    /// File with the bearer token
    #[arg(long, value_name = "FILE", env = "COORDD_ADMIN_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum Call {
    /// Show a member and the ensemble as it sees it
    Status,
    /// Form a new ensemble of members with empty disks
    Bootstrap {
        /// A first member as NAME=HOST:PEER-PORT; all of them, the asked one too; none for the asked one alone
        #[arg(long = "member", value_parser = seat)]
        members: Vec<Seat>,
    },
    /// Take an unformed member in as a learner
    Add {
        #[arg(long)]
        peer_addr: String,
    },
    /// Give a learner that has caught up its vote
    Promote { member: String },
    /// Put an unformed member in the place of one whose disk is lost
    Replace {
        member: String,
        #[arg(long)]
        peer_addr: String,
    },
    /// Take a member out
    Remove { member: String },
    /// Move leadership, to MEMBER or to the most advanced voter
    Transfer { member: Option<String> },
    /// Write a snapshot of everything acknowledged so far to FILE
    Snapshot {
        file: PathBuf,
        /// For a lost quorum: what the asked member has applied; it may lack the newest of what was acknowledged
        #[arg(long)]
        without_quorum: bool,
    },
    /// Go on with the asked member alone, as a new ensemble, when the quorum is lost for good
    Recover {
        /// Name of the asked member
        #[arg(long)]
        survivor: String,
        /// Id of the ensemble that is given up, as the status shows it
        #[arg(long)]
        ensemble_id: String,
    },
}

fn seat(text: &str) -> Result<Seat, String> {
    let (name, peer_addr) = text.split_once('=').ok_or("it must be NAME=HOST:PEER-PORT")?;
    Ok(Seat { name: name.to_owned(), peer_addr: peer_addr.to_owned() })
}

type Result<T, E = String> = std::result::Result<T, E>;

/// What happened, in words and as a value.
#[derive(Serialize)]
#[serde(untagged)]
enum Report {
    Status(Box<AdminStatus>),
    Done { done: String },
}

pub(super) async fn run(args: AdminArgs) -> Result<(), Failed> {
    let clients = args.access.clients()?;
    let report = call(&clients, args.call).await?;
    let written = match args.access.output {
        Output::Json => output::json(&report),
        Output::Text => match &report {
            Report::Status(status) => output::line(text(status).trim_end()),
            Report::Done { done } => output::line(done),
        },
    };
    Ok(written?)
}

/// `coordd drain`.
pub(super) async fn drain(access: &Access, timeout_ms: u64) -> Result<()> {
    let clients = access.clients()?;
    let client = clients.first().ok_or("no address is given")?;
    client.drain(&Drain { timeout_ms }).await.map(drop).map_err(|error| error.to_string())
}

impl Access {
    fn clients(&self) -> Result<Vec<Client>> {
        let read =
            |path: &PathBuf| std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
        let token = self.token_file.as_ref().map(read).transpose()?;
        let client = |address: &String| match &token {
            Some(token) => Client::new(address).with_token(token.trim()),
            None => Client::new(address),
        };
        Ok(self.server.iter().map(client).collect())
    }
}

/// The first answer that is no "ask the leader" and no "cannot be reached".
async fn ask<T>(clients: &[Client], call: impl AsyncFn(&Client) -> Result<T, ClientError>) -> Result<T> {
    let mut last = "no address is given".to_owned();
    for client in clients {
        match call(client).await {
            Ok(answer) => return Ok(answer),
            Err(ClientError::Refused(refusal)) if refusal.code != RefusalCode::NotLeader => {
                return Err(refusal.to_string());
            }
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
}

async fn call(clients: &[Client], call: Call) -> Result<Report> {
    let done = |done: String| Ok(Report::Done { done });
    let status = async || ask(clients, Client::status).await;
    match call {
        Call::Status => Ok(Report::Status(Box::new(status().await?))),
        Call::Bootstrap { members } => {
            let order = Bootstrap { members };
            let formed = ask(clients, async |client| client.bootstrap(&order).await).await?;
            done(format!("ensemble {} is formed", formed.ensemble_id))
        }
        Call::Add { peer_addr } => {
            let order = AddMember { membership_index: status().await?.ensemble.membership_index, peer_addr };
            let added = ask(clients, async |client| client.add(&order).await).await?;
            done(format!("{} is a learner with id {}; promote it when it has caught up", order.peer_addr, added.id))
        }
        Call::Promote { member } => {
            let (id, order) =
                meant(&status().await?.ensemble, &member, |membership_index| Promote { membership_index })?;
            ask(clients, async |client| client.promote(id, &order).await).await?;
            done(format!("{member} votes"))
        }
        Call::Replace { member, peer_addr } => {
            let plan = |membership_index| Replace { peer_addr, membership_index };
            let (id, order) = meant(&status().await?.ensemble, &member, plan)?;
            let new = ask(clients, async |client| client.replace(id, &order).await).await?;
            done(format!("{} is in the place of {member} with id {}", order.peer_addr, new.id))
        }
        Call::Remove { member } => {
            let (id, index) = meant(&status().await?.ensemble, &member, |index| index)?;
            ask(clients, async |client| client.remove(id, index).await).await?;
            done(format!("{member} is out"))
        }
        Call::Transfer { member } => {
            let view = status().await?.ensemble;
            let to = member.map(|member| meant(&view, &member, |_| ())).transpose()?.map(|(id, ())| id);
            let order = TransferLeader { to };
            let moved = ask(clients, async |client| client.transfer_leader(&order).await).await?;
            let name = view.member(moved.leader).map_or_else(|| moved.leader.to_string(), |member| member.name.clone());
            done(format!("{name} leads"))
        }
        Call::Snapshot { file, without_quorum: false } => {
            let bytes = fetch(ask(clients, Client::snapshot).await?, &file).await?;
            done(format!("{} has {bytes} bytes", file.display()))
        }
        Call::Snapshot { file, without_quorum: true } => {
            let bytes = fetch(ask(clients, Client::snapshot_without_quorum).await?, &file).await?;
            let lacks = "no quorum was asked, so it may lack the newest of what was acknowledged";
            done(format!("{} has {bytes} bytes; {lacks}", file.display()))
        }
        Call::Recover { survivor, ensemble_id } => {
            let order = Recover { survivor, ensemble_id };
            let new = ask(clients, async |client| client.recover(&order).await).await?;
            done(format!("{} goes on alone as ensemble {}", order.survivor, new.ensemble_id))
        }
    }
}

/// The id of the member that a person named, and the plan bound to the membership in which it was found.
fn meant<T>(view: &EnsembleView, member: &str, plan: impl FnOnce(u64) -> T) -> Result<(u64, T)> {
    let named: Vec<_> = view.members.iter().filter(|known| known.name == member).map(|known| known.id).collect();
    let id = match named.as_slice() {
        [id] => Some(*id),
        [] => member.parse().ok(),
        several => return Err(format!("several members are named {member}; give an id: {several:?}")),
    };
    let Some(id) = id else {
        let names: Vec<_> = view.members.iter().map(|known| format!("{} (id {})", known.name, known.id)).collect();
        return Err(format!("no member is named {member}; members: {}", names.join(", ")));
    };
    Ok((id, plan(view.membership_index)))
}

/// Writes to a file beside `file` and renames it when all of it has come.
async fn fetch(mut snapshot: Snapshot, file: &Path) -> Result<u64> {
    let fail = |error: std::io::Error| format!("{}: {error}", file.display());
    let part = file.with_extension("part");
    let mut out = tokio::fs::File::create(&part).await.map_err(fail)?;
    let mut written = 0;
    while let Some(piece) = snapshot.next().await.map_err(|error| error.to_string())? {
        out.write_all(&piece).await.map_err(fail)?;
        written += piece.len() as u64;
    }
    if written != snapshot.bytes {
        return Err(format!("{written} of {} bytes came; {} is not whole", snapshot.bytes, part.display()));
    }
    out.sync_all().await.map_err(fail)?;
    tokio::fs::rename(&part, file).await.map_err(fail)?;
    Ok(written)
}

fn text(status: &AdminStatus) -> String {
    let view = &status.ensemble;
    let mut out = format!("member      {} (coordd {})\n", status.name, status.version);
    out += &format!("ensemble    {}\n", view.ensemble_id.as_deref().unwrap_or("none yet"));
    out += &format!("service     {}\n", status.not_serving.as_deref().unwrap_or("serving"));
    let of_term = status.last_log_term.map_or_else(String::new, |term| format!(" of term {term}"));
    out += &format!(
        "log         last {}{of_term}, committed {}, applied {}\n",
        status.last_log_index, status.committed_index, status.applied_index
    );
    out += &format!("membership  of log index {}, term {}\n", view.membership_index, view.term);
    for member in &view.members {
        let role = match member.role {
            MemberRole::Leader => "leader",
            MemberRole::Candidate => "candidate",
            MemberRole::Follower => "follower",
            MemberRole::Learner => "learner",
            MemberRole::Unformed => "unformed",
        };
        let lag = member.lag.map_or_else(String::new, |lag| format!("  {lag} behind"));
        let Addresses { client, peer, http } = &member.addresses;
        out += &format!(
            "  {:<12} id {:<6} {role:<10} clients {client}  peers {peer}  http {http}{lag}\n",
            member.name, member.id
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::tests::status;
    use crate::http::view;

    #[test]
    fn a_member_is_found_by_name_or_id_in_the_membership_that_was_seen() {
        let view = view::ensemble(&status());
        assert_eq!(meant(&view, "m2", |index| index), Ok((2, 9)));
        assert_eq!(meant(&view, "77", |index| index), Ok((77, 9)));
        let unknown = meant(&view, "m9", |_| ()).unwrap_err();
        assert_eq!(unknown, "no member is named m9; members: m1 (id 1), m2 (id 2), m3 (id 3)");
    }

    #[test]
    fn the_status_is_shown_with_roles_and_lag() {
        let text = text(&view::admin_status(&status()));
        assert!(
            text.contains("service     serving\n") && text.contains("follower") && text.contains("7 behind"),
            "{text}"
        );
    }

    #[test]
    fn the_term_of_the_last_entry_is_shown_where_the_member_tells_it() {
        let told = view::admin_status(&status());
        assert!(text(&told).contains("log         last 20 of term 2, committed"), "{}", text(&told));
        // A member of an older release does not know of it.
        let mut older = serde_json::to_value(told).unwrap();
        older.as_object_mut().unwrap().remove("last_log_term").unwrap();
        let untold = serde_json::from_value(older).unwrap();
        assert!(text(&untold).contains("log         last 20, committed"), "{}", text(&untold));
    }

    #[tokio::test]
    async fn an_address_where_nobody_lives_is_named() {
        let nobody = [Client::new("127.0.0.1:1")];
        let error = ask(&nobody, Client::status).await.unwrap_err();
        assert!(error.starts_with("127.0.0.1:1: "), "{error}");
    }
}
