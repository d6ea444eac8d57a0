//! Replies cut into fields that know how they may be compared.
//!
//! Rule: a field says what it is, and `compare.rs` whether two of them agree. Reason: what is allowed to differ is
//! counted where it is met, so nothing may be made alike before.

use coordd_proto::jute::{DecodeError, Reader};

use super::allowed::Allowed;
use crate::wire::op;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    Int(i64),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    /// In the order in which they came, which the entry says does not count.
    Names(Allowed, Vec<String>),
    Zxid(i64),
    Session(i64),
    Time(i64),
    /// Bytes that no field accounts for.
    Rest(Vec<u8>),
}

/// The fields of a reply's body. What does not decode is kept as bytes.
pub fn of(op: i32, body: &[u8]) -> Vec<Field> {
    let mut out = Vec::new();
    let mut r = Reader::new(body);
    if body.is_empty() {
        return out;
    }
    if read(op, &mut r, &mut out).is_err() || !r.rest().is_empty() {
        out.push(Field::Rest(r.rest().to_vec()));
    }
    out
}

fn read(op: i32, r: &mut Reader<'_>, out: &mut Vec<Field>) -> Result<(), DecodeError> {
    match op {
        op::CREATE | op::SYNC => text(r, out)?,
        op::CREATE2 | op::CREATE_CONTAINER | op::CREATE_TTL => {
            text(r, out)?;
            stat(r, out)?;
        }
        op::EXISTS | op::SET_DATA | op::SET_ACL => stat(r, out)?,
        op::GET_DATA | op::RECONFIG => {
            out.push(Field::Bytes(r.buffer()?.map(<[u8]>::to_vec)));
            stat(r, out)?;
        }
        op::GET_ACL => {
            let mut entries = Vec::new();
            for _ in 0..r.count(12)?.unwrap_or(0) {
                let perms = r.i32()?;
                let (scheme, id) = (r.string()?.unwrap_or_default(), r.string()?.unwrap_or_default());
                entries.push(format!("{perms} {scheme}:{id}"));
            }
            out.push(Field::Names(Allowed::OrderOfAcl, entries));
            stat(r, out)?;
        }
        op::GET_CHILDREN => names(Allowed::OrderOfChildren, r, out)?,
        op::GET_EPHEMERALS => names(Allowed::OrderOfEphemerals, r, out)?,
        op::GET_CHILDREN2 => {
            names(Allowed::OrderOfChildren, r, out)?;
            stat(r, out)?;
        }
        op::GET_ALL_CHILDREN_NUMBER | op::ADD_WATCH => out.push(Field::Int(r.i32()?.into())),
        op::WHO_AM_I => {
            let mut users = Vec::new();
            for _ in 0..r.count(8)?.unwrap_or(0) {
                let (scheme, user) = (r.string()?.unwrap_or_default(), r.string()?.unwrap_or_default());
                users.push(format!("{scheme}:{user}"));
            }
            out.push(Field::Names(Allowed::OrderOfIdentities, users));
        }
        op::MULTI | op::MULTI_READ => multi(r, out)?,
        _ => {}
    }
    Ok(())
}

fn multi(r: &mut Reader<'_>, out: &mut Vec<Field>) -> Result<(), DecodeError> {
    loop {
        let (kind, done, err) = (r.i32()?, r.bool()?, r.i32()?);
        out.push(Field::Int(kind.into()));
        out.push(Field::Int(done.into()));
        out.push(Field::Int(err.into()));
        if done {
            return Ok(());
        }
        match kind {
            op::ERROR => out.push(Field::Int(r.i32()?.into())),
            op::DELETE | op::CHECK => {}
            op::GET_DATA => {
                out.push(Field::Bytes(r.buffer()?.map(<[u8]>::to_vec)));
                stat(r, out)?;
            }
            other => read(other, r, out)?,
        }
    }
}

fn text(r: &mut Reader<'_>, out: &mut Vec<Field>) -> Result<(), DecodeError> {
    out.push(Field::Text(r.string()?.map(std::borrow::Cow::into_owned)));
    Ok(())
}

fn names(order: Allowed, r: &mut Reader<'_>, out: &mut Vec<Field>) -> Result<(), DecodeError> {
    let mut names = Vec::new();
    for _ in 0..r.count(4)?.unwrap_or(0) {
        names.push(r.string()?.unwrap_or_default().into_owned());
    }
    out.push(Field::Names(order, names));
    Ok(())
}

fn stat(r: &mut Reader<'_>, out: &mut Vec<Field>) -> Result<(), DecodeError> {
    out.push(Field::Zxid(r.i64()?));
    out.push(Field::Zxid(r.i64()?));
    out.push(Field::Time(r.i64()?));
    out.push(Field::Time(r.i64()?));
    for _ in 0..3 {
        out.push(Field::Int(r.i32()?.into()));
    }
    out.push(Field::Session(r.i64()?));
    for _ in 0..2 {
        out.push(Field::Int(r.i32()?.into()));
    }
    out.push(Field::Zxid(r.i64()?));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_behind_the_last_field_are_not_overlooked() {
        assert_eq!(of(op::ADD_WATCH, &[0, 0, 0, 0]), [Field::Int(0)]);
        assert_eq!(of(op::ADD_WATCH, &[0, 0, 0, 0, 9]), [Field::Int(0), Field::Rest(vec![9])]);
        assert_eq!(of(op::DELETE, &[1]), [Field::Rest(vec![1])]);
    }
}
