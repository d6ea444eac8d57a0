//! Fuzzing of registrations: invented bytes, steered by the code that they reach, through every format and auto.
//!
//! ```text
//!   cd coordd/fuzz && cargo run --release --bin formats -- -max_total_time=60 -rss_limit_mb=512
//! ```
//!
//! Rule: what holds of all that is decoded, and how bytes are read as znodes, stands in `judge.rs`. The short form that
//! always runs is `hostile_tests.rs` beside the formats. Both are compiled from there. Reason: outside coordd nobody
//! else decodes (design D15), and the rest of a member would only take time to compile.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../src/discovery/formats/mod.rs"]
#[allow(dead_code, reason = "requests use more of it than its decoders")]
mod formats;
#[path = "../../src/discovery/judge.rs"]
mod judge;

fuzz_target!(|input: &[u8]| judge::judge_bytes(input));
