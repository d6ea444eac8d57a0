//! Percent-encoding, of paths in requests and of Dubbo's names.
//!
//! ```text
//!   %2Fa%C3%A9 ─► bytes ─► UTF-8? ─► "/aé"        %2, %zz, %ff ─► nothing
//! ```
//!
//! Rule: decoded once, strictly; what comes out is text or nothing. Reason: whoever decodes twice, or passes over what
//! he does not understand, names another znode than the one that was meant.

/// `text` decoded; `None` when an escape is cut short or what comes out is no UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    decode_with(text, false)
}

/// As Java's URLDecoder: `+` is a space, too.
pub(crate) fn decode_form(text: &str) -> Option<String> {
    decode_with(text, true)
}

fn decode_with(text: &str, plus_is_space: bool) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'%' => digit(rest.next()?)? << 4 | digit(rest.next()?)?,
            b'+' if plus_is_space => b' ',
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_bytes_and_the_bytes_text() {
        assert_eq!(decode("a%2Fb%c3%a4+").as_deref(), Some("a/bä+"));
        assert_eq!(decode_form("a+b%2B").as_deref(), Some("a b+"));
        for broken in ["%", "%4", "%zz", "%ff", "%+1"] {
            assert_eq!(decode(broken), None, "{broken}");
        }
    }
}
