//! Who leads, told when it changes.

use std::time::{Duration, Instant};

use coordd_api::Client;
use tokio::time::timeout;

use super::plan::Plan;

/// A member that does not answer by then is not asked longer.
const ANSWER_MAX: Duration = Duration::from_millis(300);

pub(super) struct Watcher {
    members: Vec<(String, Client)>,
    since: Instant,
    shown: Option<String>,
    leader: Option<String>,
}

/// What the members say, all taken together.
#[derive(Debug, Default)]
struct Seen {
    /// Name and term of the leader of the highest term.
    leader: Option<(String, u64)>,
    up: Vec<String>,
    down: Vec<String>,
}

impl Seen {
    fn text(&self) -> String {
        let down = match self.down.as_slice() {
            [] => String::new(),
            names => format!("; down: {}", names.join(", ")),
        };
        match &self.leader {
            None => format!("no leader{down}"),
            Some((leader, term)) => {
                let others: Vec<_> = self.up.iter().filter(|name| *name != leader).map(String::as_str).collect();
                let others =
                    if others.is_empty() { String::new() } else { format!(", {} follow", others.join(" and ")) };
                format!("{leader} leads (term {term}){others}{down}")
            }
        }
    }
}

impl Watcher {
    pub(super) fn new(plan: &Plan) -> Watcher {
        let client = |seat: &super::member::Seat| (seat.name.clone(), Client::new(seat.http.clone()));
        let members = plan.seats().iter().map(client).collect();
        Watcher { members, since: Instant::now(), shown: None, leader: None }
    }

    pub(super) fn leader(&self) -> Option<&str> {
        self.leader.as_deref()
    }

    /// Asks everyone; a line when something is new.
    pub(super) async fn look(&mut self) -> Option<String> {
        let mut seen = Seen::default();
        for (name, client) in &self.members {
            let Ok(Ok(view)) = timeout(ANSWER_MAX, client.ensemble()).await else {
                seen.down.push(name.clone());
                continue;
            };
            seen.up.push(name.clone());
            if let Some(leader) = view.leading()
                && seen.leader.as_ref().is_none_or(|(_, term)| *term < view.term)
            {
                seen.leader = Some((leader.name.clone(), view.term));
            }
        }
        if seen.leader.as_ref().is_some_and(|(leader, _)| seen.down.contains(leader)) {
            seen.leader = None;
        }
        self.leader = seen.leader.as_ref().map(|(name, _)| name.clone());
        let text = seen.text();
        if self.shown.as_ref() == Some(&text) {
            return None;
        }
        let line = format!("{:7.1} s  {text}", self.since.elapsed().as_secs_f64());
        self.shown = Some(text);
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_the_leader_the_followers_and_who_is_down() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let seen = Seen { leader: Some(("m2".into(), 4)), up: names(&["m2", "m3"]), down: names(&["m1"]) };
        assert_eq!(seen.text(), "m2 leads (term 4), m3 follow; down: m1");
        assert_eq!(Seen { leader: None, ..seen }.text(), "no leader; down: m1");
    }
}
