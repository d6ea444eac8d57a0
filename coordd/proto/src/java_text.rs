//! Text as Java's jute archives read and write it.
//!
//! Rule: a writer turns each UTF-16 unit into bytes on its own, so a character beyond the Basic Multilingual Plane
//! leaves as two surrogates of three bytes (CESU-8); a reader knows no surrogates and puts one U+FFFD for each (cut
//! short or not), and for every other malformed part. So what a Java server echoes is not always what it was sent, and
//! clients see the difference.

use std::borrow::Cow;
use std::str;

use crate::jute::Writer;

const SURROGATE_LEN: usize = 3;

/// The first byte of every UTF-8 sequence of four, and of nothing else.
const FIRST_OF_FOUR: u8 = 0xf0;

pub(crate) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(decode_malformed(bytes)),
    }
}

fn decode_malformed(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Err(error) = str::from_utf8(rest) {
        let (valid, bad) = rest.split_at(error.valid_up_to());
        text.push_str(&String::from_utf8_lossy(valid));
        text.push(char::REPLACEMENT_CHARACTER);
        let len = match bad {
            [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => SURROGATE_LEN,
            [0xed, 0xa0..=0xbf, ..] => SURROGATE_LEN - 1,
            _ => error.error_len().unwrap_or(bad.len()),
        };
        rest = &bad[len..];
    }
    text.push_str(&String::from_utf8_lossy(rest));
    text
}

pub(crate) fn encode(text: &str, out: &mut Writer<'_>) {
    let beyond = text.bytes().filter(|byte| *byte >= FIRST_OF_FOUR).count();
    if beyond == 0 {
        return out.string(text);
    }
    out.count(text.len() + beyond * (2 * SURROGATE_LEN - 4));
    for c in text.chars() {
        if c.len_utf8() == 4 {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let [high, low] = unit.to_be_bytes();
                out.raw(&[0xe0 | high >> 4, 0x80 | (high & 0x0f) << 2 | low >> 6, 0x80 | low & 0x3f]);
            }
        } else {
            out.raw(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}
