//! Configuration: the bytes of one znode with a guess at their type, or a subtree as keys and values.
//!
//! Rule: below a znode that may not be read nothing is looked at. A znode without data that has children is a folder,
//! not an empty value. Walks a stack of its own: no recursion, however deep the tree.

use coordd_api::discovery::{ConfigTree, LeftOut};

use super::{Failure, Look, Newest, ZNODES_MAX};

/// One znode's bytes.
pub(crate) struct Document {
    pub path: String,
    pub zxid: i64,
    pub bytes: Vec<u8>,
}

pub(crate) fn document(look: Look<'_>, path: &str) -> Result<Document, Failure> {
    let znode = look.find(path)?;
    let mut newest = Newest::none();
    newest.data(znode);
    let bytes = znode.data().unwrap_or_default();
    look.room().take(bytes.len(), path)?;
    Ok(Document { path: path.to_owned(), zxid: newest.zxid(), bytes: bytes.to_owned() })
}

/// The media type of `bytes`: JSON where they are JSON's object or array, else text where they are UTF-8.
pub(crate) fn guess(bytes: &[u8]) -> &'static str {
    let structured = matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['));
    if structured && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok() {
        "application/json"
    } else if std::str::from_utf8(bytes).is_ok() {
        "text/plain; charset=utf-8"
    } else {
        "application/octet-stream"
    }
}

pub(crate) fn tree(look: Look<'_>, path: &str) -> Result<ConfigTree, Failure> {
    let top = look.find(path)?;
    let (mut newest, mut room) = (Newest::none(), look.room());
    let mut answer = ConfigTree { path: path.to_owned(), zxid: 0, values: Default::default(), left_out: Vec::new() };
    let mut ahead = vec![(top, String::new())];
    let mut seen = 1;
    while let Some((znode, key)) = ahead.pop() {
        if !znode.readable(look.auth) {
            newest.access(znode);
            answer.left_out.push(LeftOut { key, reason: "may not be read by whoever asks".to_owned() });
            continue;
        }
        newest.data(znode);
        newest.children(znode);
        seen += znode.child_count();
        if seen > ZNODES_MAX {
            return Err(Failure::TooMany { path: path.to_owned() });
        }
        for child in znode.children() {
            let name = child.name();
            room.take(key.len() + name.len(), path)?;
            ahead.push((child, if key.is_empty() { name.to_owned() } else { format!("{key}/{name}") }));
        }
        let data = znode.data().unwrap_or_default();
        if data.is_empty() && (znode.child_count() > 0 || key.is_empty()) {
            continue;
        }
        room.take(data.len(), path)?;
        match std::str::from_utf8(data) {
            Ok(text) => drop(answer.values.insert(key, text.to_owned())),
            Err(_) => answer.left_out.push(LeftOut { key, reason: "is no UTF-8 text".to_owned() }),
        }
    }
    answer.zxid = newest.zxid();
    answer.left_out.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(answer)
}
