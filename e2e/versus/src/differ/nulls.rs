//! Requests with a null where a value is due: what a careless client sends, and what each server makes of it.
//!
//! Rule: records are written by hand here, since the values of `request.rs` know no null.

use bytes::BytesMut;
use coordd_proto::jute::Writer;
use coordd_proto::{Acl, Perms};

use crate::request::Request;
use crate::wire::op;

/// How many different requests `request` makes.
pub const KINDS: usize = 20;
/// Those that ZooKeeper does not number although they are writes.
pub const MULTIS_WITHOUT_ACL: std::ops::Range<usize> = 8..11;

fn record(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = BytesMut::new();
    write(&mut Writer::new(&mut out));
    out.to_vec()
}

/// The record of one buffer.
pub fn buffer(bytes: Option<&[u8]>) -> Vec<u8> {
    record(|w| w.buffer(bytes))
}

fn create(w: &mut Writer<'_>, op: i32, path: Option<&str>, acl: bool) {
    w.buffer(path.map(str::as_bytes));
    w.buffer(Some(b"x"));
    if acl {
        Acl::encode_list(&[Acl::world(Perms::ALL)], w)
    } else {
        w.buffer(None)
    }
    w.i32(match op {
        op::CREATE_CONTAINER => 4,
        op::CREATE_TTL => 5,
        _ => 0,
    });
    if op == op::CREATE_TTL {
        w.i64(3_600_000);
    }
}

/// A multi or multiRead of two: one that is whole, then that which `write` appends.
fn second_of(of: i32, op: i32, write: impl FnOnce(&mut Writer<'_>)) -> Request {
    let header = |w: &mut Writer<'_>, op: i32, done: bool| {
        w.i32(op);
        w.bool(done);
        w.i32(-1);
    };
    let record = record(|w| {
        header(w, if of == op::MULTI { op::CHECK } else { op::GET_CHILDREN }, false);
        w.string("/");
        if of == op::MULTI {
            w.i32(-1)
        } else {
            w.bool(false)
        }
        header(w, op, false);
        write(w);
        header(w, -1, true);
    });
    Request::Raw { op: of, record }
}

/// One of them. `path` stands where a path is given.
pub fn request(which: usize, path: &str) -> Request {
    const CREATES: [i32; 4] = [op::CREATE, op::CREATE2, op::CREATE_CONTAINER, op::CREATE_TTL];
    let raw = |op: i32, write: &dyn Fn(&mut Writer<'_>)| Request::Raw { op, record: record(write) };
    let null_and = |op: i32, number: Option<i32>| {
        raw(op, &|w| {
            w.buffer(None);
            number.iter().for_each(|n| w.i32(*n));
        })
    };
    let flagged = |op: i32| {
        raw(op, &|w| {
            w.buffer(None);
            w.bool(false);
        })
    };
    match which {
        0..4 => raw(CREATES[which], &|w| create(w, CREATES[which], None, true)),
        4..8 => raw(CREATES[which - 4], &|w| create(w, CREATES[which - 4], Some(path), false)),
        8..12 => second_of(op::MULTI, CREATES[which - 8], |w| create(w, CREATES[which - 8], Some(path), false)),
        12 => null_and(op::DELETE, Some(-1)),
        13 => raw(op::SET_DATA, &|w| {
            w.buffer(None);
            w.buffer(None);
            w.i32(-1);
        }),
        14 => raw(op::SET_ACL, &|w| {
            w.string(path);
            w.buffer(None);
            w.i32(-1);
        }),
        15 => flagged([op::EXISTS, op::GET_DATA, op::GET_CHILDREN, op::GET_CHILDREN2][path.len() % 4]),
        16 => null_and([op::GET_ACL, op::GET_ALL_CHILDREN_NUMBER, op::SYNC, op::GET_EPHEMERALS][path.len() % 4], None),
        17 => second_of(op::MULTI, op::DELETE, |w| {
            w.buffer(None);
            w.i32(-1);
        }),
        18 => second_of(op::MULTI_READ, op::GET_DATA, |w| {
            w.buffer(None);
            w.bool(false);
        }),
        _ => second_of(op::MULTI, op::SET_DATA, |w| {
            w.buffer(None);
            w.buffer(None);
            w.i32(-1);
        }),
    }
}

/// setWatches, or from 8 on setWatches2, in which one list or one path is null.
pub fn set_watches(which: usize) -> Request {
    let (op, lists) = if which < 8 { (op::SET_WATCHES, 3) } else { (op::SET_WATCHES2, 5) };
    let (path, place) = (which.is_multiple_of(2), which / 2 % 3);
    let record = record(|w| {
        w.i64(0);
        for list in 0..lists {
            match (list == place, path) {
                (true, true) => {
                    w.i32(1);
                    w.buffer(None);
                }
                (true, false) => w.buffer(None),
                (false, _) => w.i32(0),
            }
        }
    });
    Request::Raw { op, record }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_holds_a_null() {
        let null = [0xff; 4];
        for request in (0..KINDS).map(|which| request(which, "/a")).chain((0..16).map(set_watches)) {
            let Request::Raw { op, record } = request else { continue };
            // The headers of a multi, and a version at the end, have the same bytes.
            let others = if matches!(op, op::MULTI | op::MULTI_READ) { 3 } else { 0 };
            let nulls = record.windows(4).filter(|bytes| *bytes == null).count();
            assert!(nulls > others && (op != op::DELETE || nulls > 1), "{op}: {record:?}");
        }
    }
}
