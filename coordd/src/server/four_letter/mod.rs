//! Four-letter words: four raw bytes instead of a first frame, answered with text, then the connection closes.
//!
//! ```text
//!   "srvr" ─► allowed? ─ no ─► "srvr is not executed because it is not in the whitelist."
//!                      └ yes ─► serving? ─ no, and the word needs it ─► "This ZooKeeper instance is not currently…"
//!                                        └ text of the command
//! ```
//!
//! Rule: texts are ZooKeeper's to the letter, since people and programs parse them; the figures behind them are
//! `commands::Commands`, which HTTP's `/commands/…` shows, too.

pub mod commands;
mod date;
mod host;
mod text;
mod views;

use super::Shared;
use commands::Commands;

/// Which words are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowList(Vec<String>);

impl Default for AllowList {
    /// ZooKeeper's default.
    fn default() -> Self {
        AllowList(vec!["srvr".to_owned()])
    }
}

impl AllowList {
    /// A comma list of words, or `*` for all of them.
    pub fn parse(list: &str) -> AllowList {
        AllowList(list.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect())
    }

    fn allows(&self, word: &str, read_only_mode: bool) -> bool {
        // A client in read-only mode looks for a member that can write by this word.
        (word == "isro" && read_only_mode) || self.0.iter().any(|known| known == word || known == "*")
    }
}

macro_rules! words {
    ($($name:ident = $text:literal),* $(,)?) => {
        /// A command of four letters.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Word { $($name),* }

        impl Word {
            fn text(self) -> &'static str {
                match self { $(Word::$name => $text),* }
            }

            fn parse(bytes: [u8; 4]) -> Option<Word> {
                $(if bytes == *$text.as_bytes() { return Some(Word::$name); })*
                None
            }
        }
    };
}

words! {
    Conf = "conf", Cons = "cons", Crst = "crst", Dirs = "dirs", Dump = "dump", Envi = "envi", Hash = "hash",
    Gtmk = "gtmk", Isro = "isro", Mntr = "mntr", Ruok = "ruok", Srst = "srst", Srvr = "srvr", Stat = "stat",
    Stmk = "stmk", Wchc = "wchc", Wchp = "wchp", Wchs = "wchs",
}

/// Trace masks have no meaning here; this is ZooKeeper's default.
pub const TRACE_MASK: i64 = 306;

impl Word {
    fn needs_service(self) -> bool {
        !matches!(self, Word::Ruok | Word::Envi | Word::Isro | Word::Gtmk | Word::Stmk)
    }

    /// Bytes that belong to the word and stand behind it.
    pub(crate) fn argument_len(self) -> usize {
        if self == Word::Stmk { size_of::<i64>() } else { 0 }
    }
}

/// The word that a connection begins with, if it is one.
pub(crate) fn word(input: &[u8]) -> Option<Word> {
    input.first_chunk().and_then(|bytes| Word::parse(*bytes))
}

/// The whole answer. `argument` begins with what belongs to the word.
pub(crate) fn answer(word: Word, argument: &[u8], shared: &std::sync::Arc<Shared>) -> String {
    let config = &shared.config;
    if !config.four_letter_words.allows(word.text(), config.read_only_mode) {
        return format!("{} is not executed because it is not in the whitelist.\n", word.text());
    }
    let commands = Commands::new(shared.clone());
    if word.needs_service() && !commands.is_serving() {
        return "This ZooKeeper instance is not currently serving requests\n".to_owned();
    }
    match word {
        Word::Ruok => "imok".to_owned(),
        Word::Gtmk => TRACE_MASK.to_string(),
        Word::Stmk => argument.first_chunk().map_or(TRACE_MASK, |mask| i64::from_be_bytes(*mask)).to_string(),
        Word::Isro => commands.is_read_only().unwrap_or("null").to_owned(),
        Word::Srvr => text::server_stats(&commands.server_stats(), None),
        Word::Stat => text::server_stats(&commands.server_stats(), Some(&commands.connections())),
        Word::Cons => text::connections(&commands.connections()),
        Word::Mntr => super::metrics::mntr(&commands.monitor()),
        Word::Conf => text::configuration(&commands.configuration()),
        Word::Envi => text::environment(&commands.environment()),
        Word::Dirs => text::directories(&commands.directories()),
        Word::Dump => text::dump(&commands.dump()),
        Word::Wchs => text::watch_summary(&commands.watch_summary()),
        Word::Wchc => text::grouped(&commands.watches_by_session()),
        Word::Wchp => text::grouped(&commands.watches_by_path()),
        Word::Hash => text::digest(&commands.digest()),
        Word::Crst => {
            commands.reset_connections();
            "Connection stats reset.\n".to_owned()
        }
        Word::Srst => {
            commands.reset_server();
            "Server stats reset.\n".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_known_by_their_four_bytes() {
        assert_eq!(word(b"ruok"), Some(Word::Ruok));
        assert_eq!(word(b"srvr and more"), Some(Word::Srvr));
        assert_eq!(word(&[0, 0, 0, 45]), None);
        assert_eq!(word(b"ruo"), None);
    }

    #[test]
    fn the_list_allows_what_it_names_and_isro_for_read_only_mode() {
        let default = AllowList::default();
        assert!(default.allows("srvr", false) && !default.allows("ruok", false));
        assert!(!default.allows("isro", false) && default.allows("isro", true));
        assert!(AllowList::parse("*").allows("dump", false));
        let some = AllowList::parse("ruok, mntr");
        assert!(some.allows("mntr", false) && !some.allows("srvr", false));
    }
}
