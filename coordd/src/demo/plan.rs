//! Where each member of the demo listens and lives.

use std::fmt::Write;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use super::member::{Member, Seat};

/// What the person asked for.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// How many members
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=7))]
    pub members: u16,
    /// Client port of the first member; the others follow
    #[arg(long, default_value_t = 2181)]
    pub base_port: u16,
    /// Peer port of the first member
    #[arg(long, default_value_t = 2888)]
    pub peer_base_port: u16,
    /// HTTP port of the first member
    #[arg(long, default_value_t = 8080)]
    pub http_base_port: u16,
    /// Admin port of the first member
    #[arg(long, default_value_t = 9080)]
    pub admin_base_port: u16,
    /// Where the members' data lies; found again at the next start
    #[arg(long)]
    pub data_dir: Option<PathBuf>,
}

pub(super) struct Plan {
    dir: PathBuf,
    seats: Vec<Seat>,
}

impl Plan {
    pub(super) fn make(options: &Options) -> io::Result<Plan> {
        // An ensemble remembers its members, so another number or other peer ports are another ensemble.
        let home = options.data_dir.clone().unwrap_or_else(default_dir);
        let dir = std::path::absolute(home)?.join(format!("{}-members-{}", options.members, options.peer_base_port));
        let seats: Vec<Seat> = (0..options.members).map(|i| seat(options, &dir, i)).collect::<io::Result<_>>()?;
        refuse_taken_ports(&seats)?;
        std::fs::create_dir_all(&dir)?;
        Ok(Plan { dir, seats })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Each member's place, with the list of all.
    pub(super) fn members(&self) -> impl Iterator<Item = (Seat, String)> {
        let list: Vec<_> = self.seats.iter().map(|seat| format!("{}={}", seat.name, seat.peer)).collect();
        let list = list.join(",");
        self.seats.iter().map(move |seat| (seat.clone(), list.clone()))
    }

    pub(super) fn seats(&self) -> &[Seat] {
        &self.seats
    }

    pub(super) fn banner(&self, members: &[Member]) -> String {
        let hosts = self.seats.iter().map(|seat| seat.client.as_str()).collect::<Vec<_>>().join(",");
        let mut text = format!("coordd demo: {} members, data and logs in {}\n\n", members.len(), self.dir.display());
        for (seat, member) in self.seats.iter().zip(members) {
            let pid = member.pid().unwrap_or(0);
            let _ = writeln!(
                text,
                "  {}  clients {}   http://{}   admin {}   pid {pid}",
                seat.name, seat.client, seat.http, seat.admin
            );
        }
        let program = std::env::current_exe().map_or_else(|_| "coordd".to_owned(), |path| path.display().to_string());
        let first = self.seats.first().map_or("", |seat| seat.http.as_str());
        let _ = write!(
            text,
            "\nConnect:\n  {program} cli -s {hosts}\n  zkCli.sh -server {hosts}\n  \
             python3 -c 'from kazoo.client import KazooClient as C; c = C(\"{hosts}\"); \
             c.start(); print(c.get_children(\"/\"))'\n  curl http://{first}/v1/ensemble\n\n\
             Kill any member (kill -9 PID) and watch. Ctrl-C stops all; the data stays.\n"
        );
        text
    }
}

fn default_dir() -> PathBuf {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    state.or_else(home).unwrap_or_default().join("coordd-demo")
}

fn seat(options: &Options, dir: &Path, i: u16) -> io::Result<Seat> {
    let at = |base: u16| {
        let port = base.checked_add(i).ok_or_else(|| io::Error::other(format!("port {base} + {i} is above 65535")))?;
        Ok::<_, io::Error>(format!("127.0.0.1:{port}"))
    };
    let name = format!("m{}", i + 1);
    Ok(Seat {
        client: at(options.base_port)?,
        peer: at(options.peer_base_port)?,
        http: at(options.http_base_port)?,
        admin: at(options.admin_base_port)?,
        data_dir: dir.join(&name),
        name,
    })
}

fn refuse_taken_ports(seats: &[Seat]) -> io::Result<()> {
    let mut taken = Vec::new();
    for seat in seats {
        let wanted = [
            (&seat.client, "--base-port"),
            (&seat.peer, "--peer-base-port"),
            (&seat.http, "--http-base-port"),
            (&seat.admin, "--admin-base-port"),
        ];
        for (address, flag) in wanted {
            if let Err(error) = TcpListener::bind(address) {
                taken.push(format!("{address} ({error}; other ports: {flag})"));
            }
        }
    }
    match taken.is_empty() {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::AddrInUse, format!("cannot listen on {}", taken.join(", ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_named_with_the_flag_that_changes_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let free = "127.0.0.1:0".to_owned();
        let seat = Seat {
            name: "m1".to_owned(),
            client: free.clone(),
            peer: free.clone(),
            http: format!("127.0.0.1:{port}"),
            admin: free,
            data_dir: PathBuf::new(),
        };
        let why = refuse_taken_ports(std::slice::from_ref(&seat)).unwrap_err().to_string();
        assert!(why.contains(&format!("127.0.0.1:{port} (")) && why.contains("--http-base-port"), "{why}");
        drop(listener);
        assert!(refuse_taken_ports(&[seat]).is_ok());
    }
}
