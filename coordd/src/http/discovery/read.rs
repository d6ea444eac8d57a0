//! One reading of the state for one question, under the gate that the client port has too.
//!
//! ```text
//!   barrier? ─► gate ─► read guard: newest change, copies ─► gate ─► ETag known? ─► decode, encode ─► hold
//!                          └─ more than 256 KiB: again, in its turn and away from the workers ──────┘
//! ```
//!
//! Rule: the gate is asked before the reading and after it. Reason: in between this member may have been cut off, and
//! an ephemeral that it still shows may have another owner.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use bytes::Bytes;
use coordd_tree::State;
use tokio::time::timeout;

use super::answer::{fixed, media};
use super::asked::{Asked, Consistency};
use super::flight::{LARGE, LARGE_PATIENCE, Turn, Turns, aside};
use super::problem::Refused;
use crate::consensus;
use crate::discovery::question::{Found, Shown};
use crate::discovery::{BYTES_MAX, Failure, Look};
use crate::http::Http;

/// How long a caller waits for a member that is about to be confirmed.
pub(super) const GATE_PATIENCE: Duration = Duration::from_secs(1);
/// What a worker copies and decodes between two heartbeats.
pub(super) const SMALL: usize = 256 * 1024;
/// What each connection may have on its way, though its reader takes nothing.
const TINY: usize = 4096;
/// From this feature level on a znode knows when its list was replaced, and the newest change is all that an answer
/// rests on (ADR 0005).
const KNOWS_ALL_CHANGES: u32 = 2;

/// What the state was when it was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub zxid: i64,
    /// Zxids up to this one were given before the state was formed, restored or recovered.
    pub base: i64,
    /// Whether the newest change tells two answers apart.
    pub tells: bool,
    /// Read without a quorum, as the caller wanted.
    pub stale: bool,
}

impl At {
    pub(super) fn of(state: &State, stale: bool) -> At {
        let tells = state.feature_level() >= KNOWS_ALL_CHANGES;
        At { zxid: state.last_zxid().0, base: state.zxid_base(), tells, stale }
    }
}

const BUSY: Refused = Refused::Busy("large answers are being made");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// Whoever asks plainly.
    Caller,
    /// A topic that has shown nothing yet.
    NewTopic,
    /// A topic with followers that have its answer: they are late rather than sent away.
    Topic,
}

/// Where one stands in line for a turn.
pub(super) struct Line<'a> {
    pub turns: &'a Turns,
    /// It is known that the answer is large.
    pub large: bool,
    pub reader: Reader,
}

impl Line<'_> {
    async fn large_turn(&self, http: &Http) -> Result<Turn, Refused> {
        let patience = match self.reader {
            // Its turn would be for nothing, and those that stand would wait for it.
            Reader::NewTopic if !http.desk.followed.admits(LARGE) => return Err(NO_ROOM),
            Reader::Topic => None,
            Reader::NewTopic | Reader::Caller => Some(LARGE_PATIENCE),
        };
        self.turns.large(patience).await.ok_or(BUSY)
    }
}

pub(super) struct Reading {
    pub at: At,
    pub found: Result<Found, Failure>,
    /// Until it is encoded and held.
    pub turn: Turn,
}

/// For a topic that wants to show its first answer.
pub(super) const NO_ROOM: Refused = Refused::Busy("the answers that are followed already take too much room");

/// Whether answers are stale; refused where there are none.
pub(super) async fn gate(http: &Http, consistency: Consistency) -> Result<bool, Refused> {
    match http.commands.is_read_only() {
        None => Err(not_serving(http)),
        Some("ro") if consistency == Consistency::Stale => Ok(true),
        Some("ro") => Err(Refused::OnlyReads),
        Some(_) if confirmed(http, GATE_PATIENCE).await => Ok(false),
        Some(_) => Err(unconfirmed()),
    }
}

/// For a member that serves nobody: why it does not.
pub(super) fn not_serving(http: &Http) -> Refused {
    let status = http.consensus.status().borrow().clone();
    Refused::NotServing(status.not_serving.clone().unwrap_or_default())
}

pub(super) fn unconfirmed() -> Refused {
    Refused::NotServing("no quorum confirms this member".to_owned())
}

/// Whether clients may be answered, or may be within `patience`.
pub(super) async fn confirmed(http: &Http, patience: Duration) -> bool {
    http.consensus.may_answer() || timeout(patience, http.consensus.answerable()).await.is_ok()
}

/// Resolves once everything that was acknowledged anywhere before is applied here.
pub(super) async fn barrier(http: &Http) -> Result<(), Refused> {
    match consensus::caught_up(&*http.consensus).await {
        true => Ok(()),
        false => Err(Refused::NotServing("no leader confirmed the read".to_owned())),
    }
}

fn look(http: &Http, asked: &Asked, stale: bool, bytes_max: usize) -> (At, Result<Found, Failure>) {
    let state = http.consensus.state().read();
    let look = Look { state: &state, auth: &asked.key.auth, bytes_max };
    (At::of(&state, stale), asked.question.read(look, &asked.key.path))
}

/// Reads the state, if clients may be answered before it and after. With `large` it is known to be.
pub(super) async fn read(
    http: &Http,
    asked: &Arc<Asked>,
    consistency: Consistency,
    mut line: Line<'_>,
) -> Result<Reading, Refused> {
    let mut turn = None;
    for _ in 0..2 {
        let stale = gate(http, consistency).await?;
        if !line.large {
            let turn = line.turns.small().await.ok_or(BUSY)?;
            let (at, found) = look(http, asked, stale, SMALL);
            line.large = matches!(&found, Err(Failure::TooLarge { limit, .. }) if *limit == SMALL);
            if !line.large && (stale || http.consensus.may_answer()) {
                return Ok(Reading { at, found, turn });
            }
        }
        if line.large {
            let mine = match turn.take() {
                Some(mine) => mine,
                None => line.large_turn(http).await?,
            };
            let (http_too, asked) = (http.clone(), asked.clone());
            let looked = aside(mine, move || look(&http_too, &asked, stale, BYTES_MAX)).await;
            let ((at, found), mine) = looked.ok_or(Refused::Busy("an answer was given up"))?;
            if stale || http.consensus.may_answer() {
                return Ok(Reading { at, found, turn: mine });
            }
            turn = Some(mine);
        }
    }
    Err(unconfirmed())
}

/// Decodes and encodes; where the reading was large, away from the workers. The turn lasts until the answer is held.
pub(super) async fn show<T: Send + 'static>(
    asked: &Arc<Asked>,
    found: Found,
    turn: Turn,
    encode: impl FnOnce(&Shown, &str) -> Result<T, Failure> + Send + 'static,
) -> (Result<T, Failure>, Option<Turn>) {
    let work = {
        let asked = asked.clone();
        move || encode(&asked.question.show(found)?, &asked.key.path)
    };
    if !turn.is_large() {
        return (work(), Some(turn));
    }
    match aside(turn, work).await {
        Some((shown, turn)) => (shown, Some(turn)),
        // Work that panics was given up: its answer was too much for this member.
        None => (Err(Failure::AnswerTooLarge { path: asked.key.path.clone() }), None),
    }
}

/// The body of a plain answer.
pub(super) fn plain(shown: &Shown, path: &str) -> Result<(HeaderValue, Vec<u8>), Failure> {
    if let Some(raw) = shown.raw() {
        return bounded(raw.bytes, path).map(|bytes| (media(&raw.media), bytes));
    }
    let mut body = Vec::new();
    shown.write_json(path, &mut body)?;
    Ok((fixed("application/json"), body))
}

fn bounded(bytes: &[u8], path: &str) -> Result<Vec<u8>, Failure> {
    let fits = bytes.len() <= crate::discovery::ANSWER_MAX;
    if fits { Ok(bytes.to_vec()) } else { Err(Failure::AnswerTooLarge { path: path.to_owned() }) }
}

/// `body` while it is counted among the answers on their way. What is tiny is not: connections are bounded, and a few
/// of them that take nothing must not keep the others from it.
pub(super) fn hold(http: &Http, mut body: Vec<u8>) -> Result<Bytes, Refused> {
    if body.len() <= TINY {
        body.shrink_to_fit();
        return Ok(body.into());
    }
    http.desk
        .answers
        .hold(body, None)
        .map_err(|_| Refused::Busy("the answers on their way to slow readers are too many"))
}
