//! What replies must hold: code and bytes, to the last one.
//!
//! Rule: every load of the bench checks each reply here, and one that is wrong ends the run and says what was due.
//! Reason: a server that answers fast and wrong must not win.

use anyhow::{Context as _, Result, ensure};
use coordd_proto::Stat;
use coordd_proto::jute::Reader;

use crate::wire::{Reply, op};

/// A setData is answered with the znode's Stat: this version, this length.
pub fn set(reply: &Reply<'_>, version: i32, length: usize) -> Result<()> {
    let stat = set_any_version(reply, length)?;
    ensure!(stat.version == version, "setData: version {version} was due, {} came", stat.version);
    Ok(())
}

/// The same where only the caller can tell which versions may be.
pub fn set_any_version(reply: &Reply<'_>, length: usize) -> Result<Stat> {
    let mut body = body(op::SET_DATA, reply)?;
    stat(op::SET_DATA, &mut body, length)
}

/// A getData is answered with these bytes and the Stat of this version.
pub fn data(reply: &Reply<'_>, bytes: &[u8], version: i32) -> Result<()> {
    let mut body = body(op::GET_DATA, reply)?;
    let came = body.buffer()?;
    ensure!(came == Some(bytes), "getData: the bytes {bytes:?} of version {version} were due, {came:?} came");
    let stat = stat(op::GET_DATA, &mut body, bytes.len())?;
    ensure!(stat.version == version, "getData: version {version} was due, {} came", stat.version);
    Ok(())
}

/// A create is answered with the path.
pub fn created(reply: &Reply<'_>, path: &str) -> Result<()> {
    let mut body = body(op::CREATE, reply)?;
    let came = body.string()?;
    ensure!(came.as_deref() == Some(path), "create: {path} was due, {came:?} came");
    end(op::CREATE, &body)
}

/// A getEphemerals is answered with these paths, in whatever order.
pub fn ephemerals(reply: &Reply<'_>, mut paths: Vec<String>) -> Result<()> {
    let mut body = body(op::GET_EPHEMERALS, reply)?;
    let count = body.count(4)?.unwrap_or(0);
    let came = (0..count).map(|_| Ok(body.string()?.unwrap_or_default().into_owned()));
    let mut came = came.collect::<Result<Vec<_>>>().context("getEphemerals")?;
    paths.sort_unstable();
    came.sort_unstable();
    ensure!(came == paths, "getEphemerals: {paths:?} were due, {came:?} came");
    end(op::GET_EPHEMERALS, &body)
}

/// A delete, or the end of a session, is answered with a header alone.
pub fn nothing(op: i32, reply: &Reply<'_>) -> Result<()> {
    end(op, &body(op, reply)?)
}

fn body<'a>(op: i32, reply: &Reply<'a>) -> Result<Reader<'a>> {
    ensure!(reply.err == 0, "op {op}: code 0 was due, {} came", reply.err);
    ensure!(reply.zxid > 0, "op {op}: a zxid was due, {:#x} came", reply.zxid);
    Ok(Reader::new(reply.body))
}

fn stat(op: i32, body: &mut Reader<'_>, length: usize) -> Result<Stat> {
    let stat = Stat::decode(body).with_context(|| format!("op {op}: a Stat was due"))?;
    let came = stat.data_length;
    ensure!(usize::try_from(came) == Ok(length), "op {op}: a length of {length} was due, {came} came");
    end(op, body)?;
    Ok(stat)
}

fn end(op: i32, body: &Reader<'_>) -> Result<()> {
    let rest = body.rest().len();
    ensure!(rest == 0, "op {op}: the end of the reply was due, {rest} bytes more came");
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use coordd_proto::jute::Writer;

    use super::*;

    fn encoded(record: impl FnOnce(&mut Writer<'_>)) -> BytesMut {
        let mut body = BytesMut::new();
        record(&mut Writer::new(&mut body));
        body
    }

    fn stat_of(version: i32, data_length: i32) -> Stat {
        Stat { version, data_length, ..Stat::default() }
    }

    fn reply(body: &[u8]) -> Reply<'_> {
        Reply { xid: 1, zxid: 5, err: 0, body }
    }

    /// Any right reply is refused with another code, without a zxid, cut short, or with a byte behind it.
    fn is_checked_whole(body: &[u8], check: impl Fn(&Reply<'_>) -> Result<()>) {
        check(&reply(body)).unwrap();
        assert!(check(&Reply { err: -101, ..reply(body) }).is_err(), "an error");
        assert!(check(&Reply { zxid: 0, ..reply(body) }).is_err(), "no zxid");
        assert!(check(&reply(&[body, b"x"].concat())).is_err(), "a byte behind the record");
        if let Some((_, short)) = body.split_last() {
            assert!(check(&reply(short)).is_err(), "a byte too few");
        }
    }

    #[test]
    fn a_set_is_answered_with_the_stat_that_is_due_and_nothing_else() {
        is_checked_whole(&encoded(|w| stat_of(7, 100).encode(w)), |reply| set(reply, 7, 100));
        assert!(set(&reply(&encoded(|w| stat_of(6, 100).encode(w))), 7, 100).is_err(), "the version before");
        let why = set(&reply(&encoded(|w| stat_of(7, 99).encode(w))), 7, 100).unwrap_err();
        assert_eq!(why.to_string(), "op 5: a length of 100 was due, 99 came");
    }

    #[test]
    fn a_get_is_answered_with_the_bytes_that_are_due() {
        let body = |bytes: &[u8], version: i32| {
            encoded(|w| {
                w.buffer(Some(bytes));
                stat_of(version, 2).encode(w);
            })
        };
        is_checked_whole(&body(b"ab", 3), |reply| data(reply, b"ab", 3));
        assert!(data(&reply(&body(b"ac", 3)), b"ab", 3).is_err(), "other bytes");
        assert!(data(&reply(&body(b"ab", 2)), b"ab", 3).is_err(), "the version before");
    }

    #[test]
    fn a_create_is_answered_with_its_own_path() {
        is_checked_whole(&encoded(|w| w.string("/a/b")), |reply| created(reply, "/a/b"));
        assert!(created(&reply(&encoded(|w| w.string("/a/c"))), "/a/b").is_err(), "another's path");
    }

    #[test]
    fn a_session_has_exactly_its_ephemerals() {
        let body = |paths: &[&str]| {
            encoded(|w| {
                w.count(paths.len());
                paths.iter().for_each(|path| w.string(path));
            })
        };
        let due = || vec!["/a".to_owned(), "/b".to_owned()];
        is_checked_whole(&body(&["/b", "/a"]), |reply| ephemerals(reply, due()));
        assert!(ephemerals(&reply(&body(&["/a"])), due()).is_err(), "one is gone");
        assert!(ephemerals(&reply(&body(&["/a", "/c"])), due()).is_err(), "another's");
        is_checked_whole(&[], |reply| nothing(op::DELETE, reply));
    }
}
