//! What this release understands of the replicated state, and what it must not go on with (design D19).
//!
//! Rule: a member that meets a feature level above its own stops, before it applies or loads anything of it. Reason: it
//! cannot know what the others do from there on.

use std::io;

use coordd_tree::{FEATURE_LEVEL, Op, State};

fn understood(level: u32) -> io::Result<()> {
    if level <= FEATURE_LEVEL {
        return Ok(());
    }
    let why = format!("the ensemble is at feature level {level}, this release understands {FEATURE_LEVEL}: upgrade it");
    Err(io::Error::new(io::ErrorKind::Unsupported, why))
}

/// # Errors
/// When the command raises the level beyond what is understood here.
pub(crate) fn check(op: &Op) -> io::Result<()> {
    match op {
        Op::RaiseFeatureLevel(level) => understood(*level),
        _ => Ok(()),
    }
}

/// # Errors
/// When the state is of a level that is not understood here.
pub(crate) fn check_state(state: &State) -> io::Result<()> {
    understood(state.feature_level())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_from_the_future_stops_the_member_and_names_both() {
        assert!(check(&Op::RaiseFeatureLevel(FEATURE_LEVEL)).is_ok());
        let error = check(&Op::RaiseFeatureLevel(FEATURE_LEVEL + 1)).unwrap_err().to_string();
        assert_eq!(error, "the ensemble is at feature level 4, this release understands 3: upgrade it");
    }
}
