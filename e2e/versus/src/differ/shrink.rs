//! From a script that shows a difference to a short one that still does (delta debugging).

use anyhow::Result;

/// Removes ever smaller parts of `script` as long as `fails` holds for what is left; at most `tries` runs.
pub fn shrink<T: Clone>(
    mut script: Vec<T>,
    mut tries: usize,
    mut fails: impl FnMut(&[T]) -> Result<bool>,
) -> Result<Vec<T>> {
    let mut part = (script.len() / 2).max(1);
    loop {
        let mut at = 0;
        let mut removed = false;
        while at < script.len() {
            if tries == 0 {
                return Ok(script);
            }
            tries -= 1;
            let end = (at + part).min(script.len());
            let mut rest = script[..at].to_vec();
            rest.extend_from_slice(&script[end..]);
            if fails(&rest)? {
                script = rest;
                removed = true;
            } else {
                at = end;
            }
        }
        if part == 1 && !removed {
            return Ok(script);
        }
        if !removed || part > script.len() {
            part = (part / 2).max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_steps_that_matter_are_left() {
        let script: Vec<u32> = (0..200).collect();
        let left = shrink(script, 10_000, |s| Ok(s.contains(&17) && s.contains(&150))).unwrap();
        assert_eq!(left, [17, 150]);
    }

    #[test]
    fn it_gives_up_in_time_with_what_it_has() {
        let left = shrink((0..64).collect(), 3, |s: &[u32]| Ok(s.contains(&40))).unwrap();
        assert!(left.contains(&40) && left.len() <= 32);
    }
}
