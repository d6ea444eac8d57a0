//! Replies cut into fields that know how they may be compared.
//!
//! Rule: two servers agree on a field literally, except zxids, sessions and times, which agree by relation, and lists
//! whose order is unspecified. Reason: both choose those numbers themselves.

use coordd_proto::jute::{DecodeError, Reader};

use crate::wire::op;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    Int(i64),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    /// Sorted: the order is not specified.
    Names(Vec<String>),
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
        // "auth" expands to the ids of the connection, which ZooKeeper keeps in a hash set.
        op::GET_ACL => {
            let mut entries = Vec::new();
            for _ in 0..r.count(12)?.unwrap_or(0) {
                let perms = r.i32()?;
                let (scheme, id) = (r.string()?.unwrap_or_default(), r.string()?.unwrap_or_default());
                entries.push(format!("{perms} {scheme}:{id}"));
            }
            entries.sort();
            out.push(Field::Names(entries));
            stat(r, out)?;
        }
        op::GET_CHILDREN | op::GET_EPHEMERALS => names(r, out)?,
        op::GET_CHILDREN2 => {
            names(r, out)?;
            stat(r, out)?;
        }
        op::GET_ALL_CHILDREN_NUMBER | op::ADD_WATCH => out.push(Field::Int(r.i32()?.into())),
        // ZooKeeper keeps them in a hash set.
        op::WHO_AM_I => {
            let mut users = Vec::new();
            for _ in 0..r.count(8)?.unwrap_or(0) {
                let (scheme, user) = (r.string()?.unwrap_or_default(), r.string()?.unwrap_or_default());
                users.push(format!("{scheme}:{user}"));
            }
            users.sort();
            out.push(Field::Names(users));
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

fn names(r: &mut Reader<'_>, out: &mut Vec<Field>) -> Result<(), DecodeError> {
    let mut names = Vec::new();
    for _ in 0..r.count(4)?.unwrap_or(0) {
        names.push(r.string()?.unwrap_or_default().into_owned());
    }
    names.sort();
    out.push(Field::Names(names));
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

    #[test]
    fn the_order_of_children_does_not_count() {
        let ab = [0, 0, 0, 2, 0, 0, 0, 1, b'a', 0, 0, 0, 1, b'b'];
        let ba = [0, 0, 0, 2, 0, 0, 0, 1, b'b', 0, 0, 0, 1, b'a'];
        assert_eq!(of(op::GET_CHILDREN, &ab), of(op::GET_CHILDREN, &ba));
    }
}
