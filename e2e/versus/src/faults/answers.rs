//! Raw replies turned into what a history records.

use anyhow::{Result, bail, ensure};
use coordd_proto::Stat;
use coordd_proto::jute::Reader;

use crate::client;
use crate::history::{Answer, Op};
use crate::wire::op;

pub(super) fn decode(op: &Op, raw: &client::Answer) -> Result<Answer> {
    if raw.err != 0 {
        return Ok(Answer::Error(raw.err));
    }
    let mut body = Reader::new(&raw.body);
    let answer = match op {
        Op::Multi { .. } => multi(&mut body)?,
        op => one(op, &mut body)?,
    };
    ensure!(body.rest().is_empty(), "{} bytes follow the reply", body.rest().len());
    Ok(answer)
}

fn one(op: &Op, body: &mut Reader<'_>) -> Result<Answer> {
    Ok(match op {
        Op::Create { .. } => Answer::Created { path: body.string()?.unwrap_or_default().into_owned() },
        Op::Set { .. } | Op::Exists { .. } => Answer::Stat(Stat::decode(body)?),
        Op::Get { .. } => {
            let value = body.buffer()?.and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
            Answer::Data { value, stat: Stat::decode(body)? }
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
        Op::AddWatch { .. } => {
            let code = body.i32()?;
            if code == 0 { Answer::Done } else { Answer::Error(code) }
        }
        Op::Delete { .. } | Op::Check { .. } | Op::Multi { .. } | Op::Ping | Op::CloseSession => Answer::Done,
    })
}

/// Results with a header each, up to one that says it is the end. A result is of the kind that its header names.
fn multi(body: &mut Reader<'_>) -> Result<Answer> {
    let mut answers = Vec::new();
    let mut aborted = None;
    loop {
        let (kind, done, _) = (body.i32()?, body.bool()?, body.i32()?);
        if done {
            break;
        }
        let answer = match kind {
            op::CREATE => Answer::Created { path: body.string()?.unwrap_or_default().into_owned() },
            op::SET_DATA => Answer::Stat(Stat::decode(body)?),
            op::DELETE | op::CHECK => Answer::Done,
            op::ERROR => Answer::Error(body.i32()?),
            other => bail!("a result of kind {other} in a multi"),
        };
        // Parts that stand before the one that was refused carry the code 0.
        if let Answer::Error(code) = answer
            && code != 0
            && aborted.is_none()
        {
            aborted = Some(Answer::Aborted { part: answers.len(), code });
        }
        answers.push(answer);
    }
    Ok(aborted.unwrap_or(Answer::Multi(answers)))
}
