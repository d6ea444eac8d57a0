//! The text of a limits or stats znode (StatsTrack.java).
//!
//! ```text
//!   count=N,bytes=N                                    nothing more: the form of every release
//!   count=N,bytes=N=;byteHardLimit=N;countHardLimit=N  the stray '=' keeps parsers of 3.4 away from what follows
//! ```
//!
//! Rule: `,` and `;` both separate, a missing key is -1, keys that nobody knows are kept. What ZooKeeper would choke
//! on (a pair without a number) is passed over: a client's text must not stop a member.

use std::collections::BTreeMap;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct QuotaText {
    values: BTreeMap<String, i64>,
}

impl QuotaText {
    pub(crate) fn parse(data: Option<&[u8]>) -> QuotaText {
        let text = String::from_utf8_lossy(data.unwrap_or_default());
        let mut values = BTreeMap::new();
        for pair in text.split([',', ';']) {
            let mut parts = pair.split('=');
            let (Some(key), Some(value)) = (parts.next(), parts.next()) else { continue };
            let value = if value.is_empty() { Ok(-1) } else { value.parse() };
            if let Ok(value) = value {
                values.insert(key.to_owned(), value);
            }
        }
        QuotaText { values }
    }

    pub(crate) fn usage(count: i64, bytes: i64) -> QuotaText {
        QuotaText { values: [("count".to_owned(), count), ("bytes".to_owned(), bytes)].into() }
    }

    fn value(&self, key: &str) -> i64 {
        self.values.get(key).copied().unwrap_or(-1)
    }

    pub(crate) fn count(&self) -> i64 {
        self.value("count")
    }

    pub(crate) fn bytes(&self) -> i64 {
        self.value("bytes")
    }

    /// `None` without a hard limit.
    pub(crate) fn count_hard_limit(&self) -> Option<i64> {
        Some(self.value("countHardLimit")).filter(|&limit| limit > -1)
    }

    /// `None` without a hard limit.
    pub(crate) fn byte_hard_limit(&self) -> Option<i64> {
        Some(self.value("byteHardLimit")).filter(|&limit| limit > -1)
    }

    pub(crate) fn add(&mut self, count: i64, bytes: i64) {
        let (count, bytes) = (self.count().saturating_add(count), self.bytes().saturating_add(bytes));
        self.values.insert("count".to_owned(), count);
        self.values.insert("bytes".to_owned(), bytes);
    }

    pub(crate) fn print(&self) -> String {
        let mut text = format!("count={},bytes={}", self.count(), self.bytes());
        let mut separator = "=;";
        for (key, value) in self.values.iter().filter(|(key, _)| !matches!(key.as_str(), "count" | "bytes")) {
            text.push_str(&format!("{separator}{key}={value}"));
            separator = ";";
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reprinted(text: &str) -> String {
        QuotaText::parse(Some(text.as_bytes())).print()
    }

    #[test]
    fn each_form_of_the_text_reads_and_prints_as_zookeeper_prints_it() {
        assert_eq!(reprinted(""), "count=-1,bytes=-1");
        assert_eq!(reprinted("count=4,bytes=5"), "count=4,bytes=5");
        assert_eq!(reprinted("bytes=5;count=4"), "count=4,bytes=5");
        let hard = "count=4,bytes=5=;byteHardLimit=8;countHardLimit=7";
        assert_eq!(reprinted(hard), hard);
        assert_eq!(
            reprinted("countHardLimit=7,,;byteHardLimit=8"),
            "count=-1,bytes=-1=;byteHardLimit=8;countHardLimit=7"
        );
        assert_eq!(reprinted("count=,bytes=5"), "count=-1,bytes=5");
    }

    #[test]
    fn hard_limits_below_zero_are_none() {
        let text = QuotaText::parse(Some(b"countHardLimit=-1,byteHardLimit=0"));
        assert_eq!((text.count_hard_limit(), text.byte_hard_limit()), (None, Some(0)));
    }

    #[test]
    fn what_is_no_text_of_quotas_limits_nothing() {
        for text in ["nonsense", "count=many", "=", "a=b=c"] {
            assert_eq!(QuotaText::parse(Some(text.as_bytes())).count(), -1, "{text}");
        }
        assert_eq!(QuotaText::parse(Some(&[0xff, 0xfe])), QuotaText::default());
        assert_eq!(QuotaText::parse(None), QuotaText::default());
    }
}
