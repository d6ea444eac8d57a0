//! A client that writes numbers to a znode of its own, several in flight, and keeps book of what it was told.
//!
//! Rule: each number is sent once, ever. When the connection breaks, those in flight are unknown, and it connects anew.
//! Reason: a number that the log accepts twice was then doubled by the ensemble, by nobody else.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use coordd_proto::OpCode;
use coordd_testkit::Client;

const IN_FLIGHT: usize = 16;

/// What a writer was told of the numbers that it sent.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub path: String,
    pub told: BTreeSet<u64>,
    pub unknown: BTreeSet<u64>,
}

/// Writes to `path`, which exists, at the member at `address`, until told to stop.
pub(crate) fn start(address: String, path: String, stop: Arc<AtomicBool>) -> JoinHandle<Book> {
    thread::spawn(move || {
        let mut book = Book { path, ..Book::default() };
        let mut next = 0;
        while !stop.load(Ordering::Relaxed) {
            match Client::connect(&address, 6000) {
                Ok(client) => write(client, &mut book, &mut next, &stop),
                Err(_) => thread::sleep(Duration::from_millis(20)),
            }
        }
        book
    })
}

/// Writes over one connection, until it breaks or all is answered after the stop.
fn write(mut client: Client, book: &mut Book, next: &mut u64, stop: &AtomicBool) {
    let mut in_flight = VecDeque::new();
    loop {
        while in_flight.len() < IN_FLIGHT && !stop.load(Ordering::Relaxed) {
            let (number, path) = (*next, &book.path);
            *next += 1;
            in_flight.push_back(number);
            let sent = client.send(OpCode::SetData, |w| {
                w.string(path);
                w.buffer(Some(number.to_string().as_bytes()));
                w.i32(-1);
            });
            if sent.is_err() {
                break;
            }
        }
        match client.receive() {
            Ok(reply) if reply.error == 0 => book.told.extend(in_flight.pop_front()),
            Ok(_) | Err(_) => break,
        }
        if in_flight.is_empty() {
            return;
        }
    }
    book.unknown.extend(in_flight);
}
