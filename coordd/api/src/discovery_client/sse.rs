//! Server-sent events: bytes in, events out (the stream format of the HTML standard).
//!
//! ```text
//!   id: 42⏎ event: change⏎ data: {"a":⏎ data: 1}⏎ ⏎   ─►   Message { id: "42", event: "change", data: "{\"a\":\n1}" }
//!   : a comment⏎                                        ─►   nothing
//! ```
//!
//! Rule: whatever the bytes are and wherever they are split, the outcome is the same, and never more than `max` bytes
//! are kept of an event that has not ended. An id stays until another comes. Reason: a line ends where the network
//! pleases, and who sends it may be no friend.

/// A dispatched event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub id: String,
    pub event: String,
    pub data: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an event is longer than {0} bytes")]
pub(super) struct TooLong(usize);

pub(super) struct Parser {
    max: usize,
    line: Vec<u8>,
    /// The line before ended in CR, so that LF now belongs to it.
    after_cr: bool,
    first_line: bool,
    id: String,
    event: String,
    data: Option<String>,
}

impl Parser {
    pub(super) fn new(max: usize) -> Parser {
        Parser {
            max,
            line: Vec::new(),
            after_cr: false,
            first_line: true,
            id: String::new(),
            event: String::new(),
            data: None,
        }
    }

    /// Takes what came and says which events it completed.
    ///
    /// # Errors
    /// When an event is longer than allowed; there is no going on after it.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<Vec<Message>, TooLong> {
        let mut messages = Vec::new();
        while let Some(&first) = bytes.first() {
            if std::mem::take(&mut self.after_cr) && first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            self.keep(&bytes[..end.unwrap_or(bytes.len())])?;
            let Some(end) = end else { break };
            self.after_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            messages.extend(self.end_of_line());
        }
        Ok(messages)
    }

    /// How many bytes are kept of an event that has not ended.
    pub(super) fn kept(&self) -> usize {
        self.line.len() + self.event.len() + self.id.len() + self.data.as_ref().map_or(0, String::len)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.kept() + bytes.len() > self.max {
            return Err(TooLong(self.max));
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_of_line(&mut self) -> Option<Message> {
        let line = std::mem::take(&mut self.line);
        // What is text already is not copied: it may be long.
        let lossy = |error: std::string::FromUtf8Error| String::from_utf8_lossy(error.as_bytes()).into_owned();
        let mut line = String::from_utf8(line).unwrap_or_else(lossy);
        if std::mem::take(&mut self.first_line) && line.starts_with('\u{feff}') {
            line.remove(0);
        }
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            let data = self.data.take()?;
            return Some(Message { id: self.id.clone(), event, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        let begin = line.len() - value.len();
        match field {
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            "event" => value.clone_into(&mut self.event),
            "data" => match &mut self.data {
                None => {
                    line.drain(..begin);
                    self.data = Some(line);
                }
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
            },
            _comment_or_unknown => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str, event: &str, data: &str) -> Message {
        Message { id: id.to_owned(), event: event.to_owned(), data: data.to_owned() }
    }

    /// What a stream is, and what it means.
    fn table() -> Vec<(&'static str, Vec<Message>)> {
        vec![
            ("", vec![]),
            ("data: a\n\n", vec![message("", "", "a")]),
            ("id: 7\nevent: snapshot\ndata: {}\n\n", vec![message("7", "snapshot", "{}")]),
            ("id: 7\r\nevent: snapshot\r\ndata: {}\r\n\r\n", vec![message("7", "snapshot", "{}")]),
            ("id: 7\revent: snapshot\rdata: {}\r\r", vec![message("7", "snapshot", "{}")]),
            ("id: 7\r\nevent: change\ndata: {}\r\r\n", vec![message("7", "change", "{}")]),
            ("\u{feff}data: a\n\n", vec![message("", "", "a")]),
            (": alive\n\ndata: a\n: in between\ndata: b\n\n", vec![message("", "", "a\nb")]),
            ("data:a\n\ndata:  a\n\n", vec![message("", "", "a"), message("", "", " a")]),
            ("data\n\n", vec![message("", "", "")]),
            ("data\ndata\n\n", vec![message("", "", "\n")]),
            ("event: change\n\ndata: a\n\n", vec![message("", "", "a")]),
            ("id: 7\ndata: a\n\ndata: b\n\n", vec![message("7", "", "a"), message("7", "", "b")]),
            ("id: 7\n\nid: 8\0\ndata: a\n\n", vec![message("7", "", "a")]),
            ("retry: 3\nwhat: is this\nDATA: b\ndata: ü ☃ a:b\n\n", vec![message("", "", "ü ☃ a:b")]),
            ("data: never ended\n", vec![]),
            ("data: never ended", vec![]),
            ("\n\n\r\n\r\r", vec![]),
        ]
    }

    #[test]
    fn a_stream_means_the_same_wherever_it_is_split() {
        for (text, expected) in table() {
            for split in 0..=text.len() {
                let (one, two) = text.as_bytes().split_at(split);
                let mut parser = Parser::new(1000);
                let mut messages = parser.push(one).unwrap();
                messages.extend(parser.push(two).unwrap());
                assert_eq!(messages, expected, "{text:?} split at {split}");
            }
            let mut parser = Parser::new(1000);
            let messages: Vec<_> = text.bytes().flat_map(|byte| parser.push(&[byte]).unwrap()).collect();
            assert_eq!(messages, expected, "{text:?} byte by byte");
        }
    }

    #[test]
    fn an_event_may_fill_its_bound_and_the_next_one_again() {
        let mut parser = Parser::new(16);
        for _ in 0..3 {
            let messages = parser.push(b"data: 3456789012\n\n").unwrap();
            assert_eq!(messages, [message("", "", "3456789012")]);
        }
    }

    #[test]
    fn what_does_not_end_is_refused_at_its_bound() {
        let endless: [&[u8]; 5] =
            [b"data: aaaaaaa", b"data: a\n", b"event: aaaaaa\n", b": aaaaaa", b"id: 123456\ndata:a\n"];
        for piece in endless {
            let mut parser = Parser::new(64);
            let refused = (0..64).find_map(|_| parser.push(piece).err());
            let bounded = piece.ends_with(b"\n") && !piece.windows(4).any(|w| w == b"data");
            assert_eq!(refused, (!bounded).then_some(TooLong(64)), "{:?}", String::from_utf8_lossy(piece));
        }
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm() {
        let mut parser = Parser::new(64);
        assert_eq!(parser.push(b"data: \xff\xfe\n\n").unwrap(), [message("", "", "\u{fffd}\u{fffd}")]);
    }
}
