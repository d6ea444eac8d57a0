//! How znodes, ACLs, events and refusals are written; the texts are zkCli's.

use std::fmt::Write;

use coordd_proto::{Acl, AuthId, ErrorCode, EventType, Perms, Stat};
use serde_json::{Value, json};

use super::super::client::{CallError, Event, Target};
use super::Shown;

const LETTERS: [(char, Perms); 5] =
    [('c', Perms::CREATE), ('d', Perms::DELETE), ('r', Perms::READ), ('w', Perms::WRITE), ('a', Perms::ADMIN)];

pub(super) fn stat(stat: &Stat) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "cZxid = {}\nctime = {}", stat.czxid, time(stat.ctime));
    let _ = writeln!(out, "mZxid = {}\nmtime = {}", stat.mzxid, time(stat.mtime));
    let _ = writeln!(out, "pZxid = {}\ncversion = {}", stat.pzxid, stat.cversion);
    let _ = writeln!(out, "dataVersion = {}\naclVersion = {}", stat.version, stat.aversion);
    let _ = writeln!(out, "ephemeralOwner = {}", stat.ephemeral_owner);
    let _ = write!(out, "dataLength = {}\nnumChildren = {}", stat.data_length, stat.num_children);
    out
}

pub(super) fn stat_value(stat: &Stat) -> Value {
    json!({
        "czxid": stat.czxid.0, "mzxid": stat.mzxid.0, "pzxid": stat.pzxid.0, "ctime": stat.ctime, "mtime": stat.mtime,
        "version": stat.version, "cversion": stat.cversion, "aversion": stat.aversion,
        "ephemeral_owner": stat.ephemeral_owner.to_string(), "data_length": stat.data_length,
        "num_children": stat.num_children,
    })
}

/// Milliseconds since 1970 as a date in UTC.
fn time(ms: i64) -> String {
    let (days, in_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    // Days to a date in the proleptic Gregorian calendar, counted in years that begin in March.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hours, minutes, seconds) = (in_day / 3_600_000, in_day / 60_000 % 60, in_day / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z", in_day % 1000)
}

pub(super) fn perms(perms: Perms) -> String {
    LETTERS.iter().filter(|(_, perm)| perms.grants_any(*perm)).map(|(letter, _)| letter).collect()
}

pub(super) fn acl(list: &[Acl]) -> String {
    list.iter().map(|acl| format!("'{},'{}\n: {}\n", acl.id.scheme, acl.id.id, perms(acl.perms))).collect()
}

pub(super) fn acl_value(list: &[Acl]) -> Value {
    let entry = |acl: &Acl| json!({ "scheme": acl.id.scheme, "id": acl.id.id, "perms": perms(acl.perms) });
    Value::Array(list.iter().map(entry).collect())
}

/// `scheme:id:perms,…`; an id may contain colons.
pub(super) fn parse_acl(text: &str) -> Result<Vec<Acl>, String> {
    let entry = |text: &str| {
        let (scheme, rest) = text.split_once(':')?;
        let (id, letters) = rest.rsplit_once(':')?;
        let perm = |letter| LETTERS.iter().find(|(known, _)| *known == letter).map(|(_, perm)| perm.0);
        let perms = letters.chars().try_fold(0, |all, letter| Some(all | perm(letter)?))?;
        Some(Acl { perms: Perms(perms), id: AuthId::new(scheme, id) })
    };
    let wrong = |text: &str| format!("{text} does not have the form scheme:id:perms, perms of the letters c d r w a");
    text.split(',').map(|text| entry(text).ok_or_else(|| wrong(text))).collect()
}

/// Data as text; bytes that are none as Rust escapes them.
pub(super) fn data(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.escape_ascii().to_string(),
    }
}

/// Data as netty's `prettyHexDump` writes it, which zkCli uses; nothing for no data.
pub(super) fn hex_dump(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return String::new();
    }
    let mut out =
        format!("         +{0}+\n         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |\n", "-".repeat(49));
    let rule = format!("+--------+{}+{}+", "-".repeat(49), "-".repeat(16));
    let _ = writeln!(out, "{rule}");
    for (row, chunk) in bytes.chunks(16).enumerate() {
        let hex: String = chunk.iter().map(|byte| format!(" {byte:02x}")).collect();
        let shown = |byte: &u8| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' };
        let plain: String = chunk.iter().map(shown).collect();
        let _ = writeln!(out, "|{:08x}|{hex:<48} |{plain:<16}|", row * 16);
    }
    out + &rule
}

/// The version and the client addresses in the text of `/zookeeper/config`.
pub(super) fn clients_of_config(config: &str) -> (&str, Vec<&str>) {
    let value = |prefix| config.lines().find_map(move |line: &str| line.strip_prefix(prefix));
    let servers = config.lines().filter(|line| line.starts_with("server."));
    (value("version=").unwrap_or_default(), servers.filter_map(|line| line.rsplit_once(';')).map(|(_, c)| c).collect())
}

/// A refusal in zkCli's words.
pub(super) fn refusal(error: &CallError, path: &str) -> String {
    let CallError::Refused(code) = error else { return error.to_string() };
    match code {
        ErrorCode::NoNode => format!("Node does not exist: {path}"),
        ErrorCode::NodeExists => format!("Node already exists: {path}"),
        ErrorCode::NotEmpty => format!("Node not empty: {path}"),
        ErrorCode::BadVersion => format!("version No is not valid : {path}"),
        ErrorCode::NoAuth => format!("Insufficient permission : {path}"),
        ErrorCode::InvalidAcl => format!("Acl is not valid : {path}"),
        ErrorCode::NoChildrenForEphemerals => format!("Ephemerals cannot have children: {path}"),
        ErrorCode::QuotaExceeded => format!("Quota has exceeded : {path}"),
        ErrorCode::NotReadOnly => "Not a read-only call: this member has no quorum".to_owned(),
        ErrorCode::BadArguments => format!("Invalid arguments for {path}"),
        ErrorCode::AuthFailed => "Authentication failed".to_owned(),
        other => format!("{other}: {path}"),
    }
}

fn event_name(event: EventType) -> &'static str {
    match event {
        EventType::NodeCreated => "NodeCreated",
        EventType::NodeDeleted => "NodeDeleted",
        EventType::NodeDataChanged => "NodeDataChanged",
        EventType::NodeChildrenChanged => "NodeChildrenChanged",
    }
}

pub(super) fn event(target: &Target, event: &Event) -> Shown {
    match event {
        Event::Changed { event, path } => {
            let (name, path) = (event_name(*event), target.relative(path));
            Shown::new(format!("WatchedEvent {name} {path}"), json!({ "event": name, "path": path }))
        }
        Event::Disconnected { why } => {
            Shown::new(format!("Disconnected: {why}"), json!({ "state": "disconnected", "why": why }))
        }
        Event::Connected { host, session } => {
            let value = json!({ "state": "connected", "host": host, "session": session.to_string() });
            Shown::new(format!("Connected to {host}, session {session}"), value)
        }
        Event::Expired => Shown::new("The session has expired; a new one is opened", json!({ "state": "expired" })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates() {
        assert_eq!(time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(951_782_400_123), "2000-02-29T00:00:00.123Z");
        assert_eq!(time(1_764_000_000_000), "2025-11-24T16:00:00.000Z");
    }

    #[test]
    fn a_hex_dump_is_nettys() {
        let dump = hex_dump(b"0123456789abcdef\n\xff~");
        let lines: Vec<_> = dump.lines().collect();
        assert_eq!(lines[0], "         +-------------------------------------------------+");
        assert_eq!(lines[2], "+--------+-------------------------------------------------+----------------+");
        assert_eq!(lines[3], "|00000000| 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 |0123456789abcdef|");
        assert_eq!(lines[4], "|00000010| 0a ff 7e                                        |..~             |");
        assert_eq!((lines.len(), lines[5], hex_dump(b"").as_str()), (6, lines[2], ""));
    }

    #[test]
    fn the_clients_of_a_config_stand_behind_its_version() {
        let config =
            "server.1=a:2888:2888:participant;a:2181\nserver.2=[::1]:2888:2888:observer;[::1]:2182\nversion=1f";
        assert_eq!(clients_of_config(config), ("1f", vec!["a:2181", "[::1]:2182"]));
    }

    #[test]
    fn an_acl_is_read_as_it_is_written_in_zkcli() {
        let list = parse_acl("world:anyone:r,digest:u:hash=:cdrwa").unwrap();
        assert_eq!(list[0], Acl::world(Perms::READ));
        assert_eq!((list[1].id.id.as_str(), list[1].perms), ("u:hash=", Perms::ALL));
        assert!(parse_acl("world:anyone:x").unwrap_err().starts_with("world:anyone:x does not have the form"));
        assert_eq!(acl(&list[..1]), "'world,'anyone\n: r\n");
    }
}
