//! What happened, line by line, as one hash: two runs are the same if and only if their hashes are.
//!
//! ```text
//!   [sim ms] who  what        every reply, event, fault; each second every member's term, position and state digest
//! ```
//!
//! Rule: a line holds nothing that the machine decides: no address, no real time, no order of a hash map.

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::rc::Rc;

use sha2::{Digest, Sha256};

/// Cheap to clone; all clones are one trace.
#[derive(Clone)]
pub(crate) struct Trace(Rc<RefCell<Inner>>);

struct Inner {
    hash: Sha256,
    lines: u64,
    file: Option<BufWriter<File>>,
    line: String,
}

impl Trace {
    pub(crate) fn new(path: Option<&Path>) -> io::Result<Trace> {
        let file = path.map(File::create).transpose()?.map(BufWriter::new);
        Ok(Trace(Rc::new(RefCell::new(Inner { hash: Sha256::new(), lines: 0, file, line: String::new() }))))
    }

    pub(crate) fn say(&self, at_ms: u64, who: &str, what: fmt::Arguments<'_>) {
        let mut inner = self.0.borrow_mut();
        let Inner { hash, lines, file, line } = &mut *inner;
        line.clear();
        let _ = writeln!(line, "[{at_ms:>7}] {who:<7} {what}");
        hash.update(line.as_bytes());
        *lines += 1;
        if let Some(file) = file {
            // A file that cannot be written is short; the hash, which counts, is not.
            let _ = file.write_all(line.as_bytes());
        }
    }

    /// The hash of all lines so far, in hex, and their number.
    pub(crate) fn sum(&self) -> (String, u64) {
        let inner = self.0.borrow();
        (coordd::entropy::hex(&inner.hash.clone().finalize()), inner.lines)
    }
}
