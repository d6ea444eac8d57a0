//! Histories as files: one line of JSON for the faults, then one for each client.
//!
//! Rule: what is written is all that the checker reads. Reason: a history that broke a promise on another machine must
//! break it here again.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use coordd_proto::{SessionId, Stat, Zxid};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::faults;
use crate::history::History;

#[derive(Debug, Args)]
pub struct Options {
    /// As `clients` answered the word `history`
    pub file: PathBuf,
}

/// Checks a history that was kept.
pub fn check(options: &Options) -> Result<()> {
    let file = File::open(&options.file).with_context(|| options.file.display().to_string())?;
    let history = read(BufReader::new(file))?;
    let broken = faults::report(&history);
    ensure!(broken.is_empty(), "{} broken promises", broken.len());
    println!("every promise was kept");
    Ok(())
}

pub fn write(history: &History, mut to: impl Write) -> Result<()> {
    serde_json::to_writer(&mut to, &history.faults)?;
    to.write_all(b"\n")?;
    for client in &history.clients {
        serde_json::to_writer(&mut to, client)?;
        to.write_all(b"\n")?;
    }
    Ok(to.flush()?)
}

pub fn read(from: impl BufRead) -> Result<History> {
    let mut lines = from.lines();
    let faults = serde_json::from_str(&lines.next().context("an empty file")??)?;
    let mut history = History { clients: Vec::new(), faults };
    for line in lines {
        history.clients.push(serde_json::from_str(&line?)?);
    }
    Ok(history)
}

/// How a `Stat` stands in such a file: its numbers, wide and narrow ones.
pub(crate) struct StatForm;

type Numbers = ([i64; 6], [i32; 5]);

impl StatForm {
    pub(crate) fn serialize<S: Serializer>(stat: &Stat, to: S) -> Result<S::Ok, S::Error> {
        let wide = [stat.czxid.0, stat.mzxid.0, stat.ctime, stat.mtime, stat.ephemeral_owner.0, stat.pzxid.0];
        let narrow = [stat.version, stat.cversion, stat.aversion, stat.data_length, stat.num_children];
        Numbers::serialize(&(wide, narrow), to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Stat, D::Error> {
        let (wide, narrow) = Numbers::deserialize(from)?;
        let [czxid, mzxid, ctime, mtime, owner, pzxid] = wide;
        let [version, cversion, aversion, data_length, num_children] = narrow;
        Ok(Stat {
            czxid: Zxid(czxid),
            mzxid: Zxid(mzxid),
            ctime,
            mtime,
            version,
            cversion,
            aversion,
            ephemeral_owner: SessionId(owner),
            data_length,
            num_children,
            pzxid: Zxid(pzxid),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Answer, Call, ClientHistory, Entry, Fault, Op, Reply, What};

    #[test]
    fn a_history_is_the_same_when_it_comes_back_from_its_file() {
        let stat = Stat { czxid: Zxid(7), version: 3, ephemeral_owner: SessionId(-5), ..Stat::default() };
        let answer =
            Answer::Multi(vec![Answer::Data { value: Some(1), stat }, Answer::Stat(stat), Answer::Error(-101)]);
        let op = Op::Multi { parts: vec![Op::Get { path: "/a".to_owned(), watch: true }, Op::Ping] };
        let call = Call { session: 9, conn: 1, sent: 10, op, reply: Some(Reply { at: 11, zxid: 12, answer }) };
        let entry = Entry { at: 11, session: 9, conn: 1, what: What::Answered(0) };
        let fault = Fault { at: 5, what: "a pod deleted".to_owned(), in_flight: 2 };
        let client = ClientHistory { calls: vec![call], entries: vec![entry] };
        let history = History { clients: vec![client.clone(), client], faults: vec![fault] };
        let mut file = Vec::new();
        write(&history, &mut file).unwrap();
        let back = read(file.as_slice()).unwrap();
        assert_eq!(format!("{back:?}"), format!("{history:?}"));
    }
}
