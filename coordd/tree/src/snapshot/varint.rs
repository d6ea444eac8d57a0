//! Numbers in as few bytes as they need: seven bits a byte, the least significant first; signed ones zigzag.

use bytes::{Buf, BufMut};

use super::SnapshotError;

pub(super) fn put(out: &mut impl BufMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

pub(super) fn put_signed(out: &mut impl BufMut, value: i64) {
    put(out, (value << 1 ^ value >> 63).cast_unsigned());
}

/// Bytes that `put` writes.
pub(super) fn len(value: u64) -> usize {
    (64 - value.leading_zeros() as usize).div_ceil(7).max(1)
}

/// Bytes that `put_signed` writes.
pub(super) fn len_signed(value: i64) -> usize {
    len((value << 1 ^ value >> 63).cast_unsigned())
}

pub(super) fn get(from: &mut &[u8]) -> Result<u64, SnapshotError> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = from.try_get_u8().map_err(|_| SnapshotError::BadRow)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(SnapshotError::BadRow)
}

pub(super) fn get_signed(from: &mut &[u8]) -> Result<i64, SnapshotError> {
    let value = get(from)?;
    Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
}

pub(super) fn get_u32(from: &mut &[u8]) -> Result<u32, SnapshotError> {
    u32::try_from(get(from)?).map_err(|_| SnapshotError::BadRow)
}

pub(super) fn put_bytes(out: &mut impl BufMut, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.put_slice(bytes);
}

pub(super) fn get_bytes<'a>(from: &mut &'a [u8]) -> Result<&'a [u8], SnapshotError> {
    let len = usize::try_from(get(from)?).map_err(|_| SnapshotError::BadRow)?;
    let (bytes, rest) = from.split_at_checked(len).ok_or(SnapshotError::BadRow)?;
    *from = rest;
    Ok(bytes)
}

pub(super) fn get_string(from: &mut &[u8]) -> Result<String, SnapshotError> {
    String::from_utf8(get_bytes(from)?.to_vec()).map_err(|_| SnapshotError::BadRow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_at_every_width() {
        let mut out = Vec::new();
        let values: Vec<i64> =
            (0..64).flat_map(|bit| [1i64 << bit, -(1i64 << (bit / 2)), (1i64 << bit).wrapping_sub(1)]).collect();
        values.iter().for_each(|&v| put_signed(&mut out, v));
        assert_eq!(out.len(), values.iter().map(|&v| len_signed(v)).sum::<usize>());
        let mut from = &out[..];
        for &value in &values {
            assert_eq!(get_signed(&mut from).unwrap(), value);
        }
        assert!(from.is_empty());
        assert!(get(&mut from).is_err());
        assert!(get(&mut &[0xff; 11][..]).is_err());
    }
}
