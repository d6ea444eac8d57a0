//! Who leads an election, by the znodes that the candidates have left.
//!
//! ```text
//!   path/…-latch-0000000004   path/…-lock-0000000004   path/…__lock__0000000004   path/n_0000000004      lowest leads
//!   path itself, ephemeral    whoever created it leads
//! ```
//!
//! Rule: the recipe is that of the oldest candidate, the order the clients' own, by sequence number. The fencing token
//! is the leader's czxid, and only where the leader is also the single oldest of all that have a sequence number,
//! whatever their recipe. Reason: of those that stand, the least czxid never falls, since each new one is greater than
//! all before; so a token that was given is never followed by a lower one, whatever strangers put among the candidates.
//! What stood before the state was set back (recover, restore) gives none: a later one may have been given. That the
//! token is withheld is another answer, so it has the number up to which the state was set back.

use coordd_api::discovery::{Candidate, LeaderView, Recipe};
use coordd_proto::{AuthId, SessionId, Zxid};
use coordd_tree::{State, ZnodeRef};

use super::{Failure, Look, Newest, ZNODES_MAX, join};

const SEQUENCE: usize = 10;
/// A candidate's name for itself is no longer.
const ID_MAX: usize = 4096;

/// The mark before the sequence number, most particular first.
const RECIPES: [(&str, Recipe); 4] = [
    ("-latch-", Recipe::CuratorLatch),
    ("-lock-", Recipe::CuratorSelector),
    ("__lock__", Recipe::KazooElection),
    ("", Recipe::Sequential),
];

/// The sequence number at the end of a name, and what stands before.
fn split(name: &str) -> Option<(&str, i64)> {
    let (mark, digits) = name.split_at_checked(name.len().checked_sub(SEQUENCE)?)?;
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?.map(|sequence| (mark, sequence))
}

/// A child that stands for election.
struct Standing<'a> {
    znode: ZnodeRef<'a>,
    mark: &'a str,
    sequence: i64,
}

impl Standing<'_> {
    fn since(&self) -> Zxid {
        self.znode.stat().czxid
    }
}

pub(crate) fn leader(look: Look<'_>, path: &str) -> Result<LeaderView, Failure> {
    let Look { state, auth, .. } = look;
    let top = look.find(path)?;
    let mut newest = Newest::none();
    newest.children(top);
    if top.stat().ephemeral_owner != SessionId::NONE {
        newest.data(top);
        let only = candidate(top, path.to_owned(), auth);
        let fencing_token = token(state, only.since, &mut newest);
        let (recipe, zxid) = (Some(Recipe::Single), newest.zxid());
        let path = path.to_owned();
        return Ok(LeaderView {
            path,
            recipe,
            zxid,
            leader: Some(only.clone()),
            fencing_token,
            candidates: vec![only],
        });
    }
    if top.child_count() > ZNODES_MAX {
        return Err(Failure::TooMany { path: path.to_owned() });
    }
    let mut standing = Vec::new();
    let mut room = look.room();
    for znode in top.children() {
        room.take(path.len() + znode.name().len(), path)?;
        if znode.readable(auth) {
            newest.data(znode);
            room.take(znode.data().map_or(0, |data| data.len().min(ID_MAX)), path)?;
        } else {
            newest.access(znode);
        }
        if let Some((mark, sequence)) = split(znode.name()) {
            standing.push(Standing { znode, mark, sequence });
        }
    }
    let oldest = standing.iter().min_by_key(|one| one.since()).map(|one| (one.since(), one.mark));
    let shared = oldest.is_some_and(|(since, _)| standing.iter().filter(|one| one.since() == since).count() > 1);
    let recipe = oldest.and_then(|(_, name)| RECIPES.iter().find(|(mark, _)| name.ends_with(mark)));
    if let Some((mark, _)) = recipe {
        standing.retain(|one| one.mark.ends_with(mark));
    }
    standing.sort_by_key(|one| (one.sequence, one.znode.name()));
    let first = standing.first().filter(|first| Some(first.since()) == oldest.map(|(since, _)| since) && !shared);
    let shown = |one: &Standing<'_>| candidate(one.znode, join(path, one.znode.name()), auth);
    let candidates: Vec<_> = standing.iter().map(shown).collect();
    let since = first.filter(|first| first.znode.readable(auth)).map(|first| first.since().0);
    let fencing_token = token(state, since, &mut newest);
    Ok(LeaderView {
        path: path.to_owned(),
        recipe: recipe.map(|(_, recipe)| *recipe),
        zxid: newest.zxid(),
        leader: candidates.first().cloned(),
        fencing_token,
        candidates,
    })
}

/// The token of a leader that stands since then; none where a later one may have been given.
fn token(state: &State, since: Option<i64>, newest: &mut Newest) -> Option<i64> {
    let (since, base) = (since?, state.zxid_base());
    if since > base {
        return Some(since);
    }
    newest.set_back(base);
    None
}

fn candidate(znode: ZnodeRef<'_>, path: String, auth: &[AuthId]) -> Candidate {
    let readable = znode.readable(auth);
    let data = znode.data().filter(|data| readable && (1..=ID_MAX).contains(&data.len()));
    let id = data.and_then(|data| std::str::from_utf8(data).ok()).map(str::to_owned);
    Candidate { znode: path, id, since: readable.then(|| znode.stat().czxid.0) }
}
