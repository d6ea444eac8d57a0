//! The one source of randomness: the operating system's. Everything random is asked for here, so that it can be
//! replaced.

use std::fmt::Write;

/// Fills `bytes` with random bits.
///
/// # Errors
/// When the operating system has none to give; callers treat it as fatal.
pub fn fill(bytes: &mut [u8]) -> std::io::Result<()> {
    getrandom::fill(bytes).map_err(|error| std::io::Error::other(format!("no randomness: {error}")))
}

/// 128 random bits in hex, for identities.
///
/// # Errors
/// As [`fill`].
pub fn random_id() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    fill(&mut bytes)?;
    Ok(hex(&bytes))
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
