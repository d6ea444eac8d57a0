//! Events out of the bytes of a stream, whatever chunks they came in.

use anyhow::{Context, Result, ensure};

pub(super) fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
}

/// What has come and is no whole event yet.
#[derive(Debug, Default)]
pub(super) struct Events {
    bytes: Vec<u8>,
    pub newest: i64,
}

impl Events {
    /// Takes what came; whether it ended an event, of which `newest` is then the id. Comments are passed over.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<bool> {
        // The end may stand across the border of two readings.
        let mut from = self.bytes.len().saturating_sub(1);
        self.bytes.extend_from_slice(bytes);
        let mut ended = false;
        while let Some(end) = self.bytes[from..].windows(2).position(|pair| pair == b"\n\n") {
            let whole: Vec<u8> = self.bytes.drain(..from + end + 2).collect();
            from = 0;
            let Some(id) = whole.windows(4).position(|head| head == b"id: ") else { continue };
            ensure!(whole.windows(6).any(|head| head == b"data: "), "an event without data");
            let digits = whole[id + 4..].iter().take_while(|b| b.is_ascii_digit()).map(|b| char::from(*b));
            self.newest = digits.collect::<String>().parse().context("an id")?;
            ended = true;
        }
        self.bytes.shrink_to(256);
        Ok(ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_seen_whole_however_they_are_cut() {
        let text = b"HTTP/1.1 200 OK\r\n\r\n1a\r\nid: 7\nevent: change\ndata: {\"a\":1}\n\n\r\n3\r\n:\n\n\r\n";
        for cut in 1..text.len() {
            let mut events = Events::default();
            let ended: Vec<bool> = text.chunks(cut).map(|part| events.take(part).unwrap()).collect();
            assert_eq!((events.newest, ended.iter().filter(|ended| **ended).count()), (7, 1), "{cut}");
        }
    }
}
