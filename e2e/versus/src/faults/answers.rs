//! Raw replies turned into what a history records.

use anyhow::{Result, ensure};
use coordd_proto::Stat;
use coordd_proto::jute::Reader;

use crate::client;
use crate::history::{Answer, Op};

pub(super) fn decode(op: &Op, raw: &client::Answer) -> Result<Answer> {
    if raw.err != 0 {
        return Ok(Answer::Error(raw.err));
    }
    let mut body = Reader::new(&raw.body);
    let answer = match op {
        Op::Create { .. } => Answer::Created { path: body.string()?.unwrap_or_default().into_owned() },
        Op::Set { .. } | Op::Exists { .. } => Answer::Stat(Stat::decode(&mut body)?),
        Op::Get { .. } => {
            let value = body.buffer()?.and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
            Answer::Data { value, stat: Stat::decode(&mut body)? }
        }
        Op::Children { .. } => {
            let count = body.count(4)?.unwrap_or(0);
            let mut names = Vec::with_capacity(count);
            for _ in 0..count {
                names.push(body.string()?.unwrap_or_default().into_owned());
            }
            Answer::Children { names }
        }
        Op::Sync { .. } => {
            body.string()?;
            Answer::Done
        }
        Op::Delete { .. } | Op::Ping | Op::CloseSession => Answer::Done,
    };
    ensure!(body.rest().is_empty(), "{} bytes follow the reply", body.rest().len());
    Ok(answer)
}
