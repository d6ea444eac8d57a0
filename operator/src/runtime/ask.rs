//! Asks every member what it knows, all at once.
//!
//! Rule: two seconds, then it is silent; whoever answers under another name is not the one that was asked. Reason: one
//! member that hangs must not keep the others from being healed, and an address may have become another pod's.

use std::time::Duration;

use coordd_api::{AdminStatus, Client, ClientError, MemberRole, RefusalCode};
use futures_util::future::join_all;
use tokio::time::timeout;

use crate::names::ADMIN_PORT;
use crate::world::{Answer, Asked, Part, Peer, Pod};

const ANSWER_MAX: Duration = Duration::from_secs(2);

/// A client of the admin port at `ip`.
pub(crate) fn member(ip: &str, token: &str) -> Client {
    let address = if ip.contains(':') { format!("[{ip}]:{ADMIN_PORT}") } else { format!("{ip}:{ADMIN_PORT}") };
    Client::new(address).with_token(token)
}

/// Asks all pods; without a token, none.
pub(crate) async fn ask(pods: &mut [Pod], token: Option<&str>) {
    let asked = join_all(pods.iter().map(|pod| one(pod, token))).await;
    for (pod, asked) in pods.iter_mut().zip(asked) {
        pod.asked = asked;
    }
}

async fn one(pod: &Pod, token: Option<&str>) -> Asked {
    let Some(ip) = &pod.ip else { return Asked::NotYet };
    let Some(token) = token else { return Asked::Silent("there is no admin token to ask with yet".to_owned()) };
    match timeout(ANSWER_MAX, member(ip, token).status()).await {
        Err(_) => Asked::Silent(format!("no answer within {} s", ANSWER_MAX.as_secs())),
        Ok(answered) => heard(&pod.name, answered),
    }
}

fn heard(pod: &str, answered: Result<AdminStatus, ClientError>) -> Asked {
    match answered {
        Ok(status) if status.name == pod => Asked::Answered(Box::new(answer(status))),
        Ok(status) => Asked::Silent(format!("at its address {} answers", status.name)),
        Err(ClientError::Refused(refusal)) if refusal.code == RefusalCode::Unauthorized => Asked::WrongToken,
        Err(error) => Asked::Silent(error.to_string()),
    }
}

fn answer(status: AdminStatus) -> Answer {
    let ensemble = status.ensemble;
    let peers = ensemble.members.into_iter().map(|member| Peer {
        id: member.id,
        name: member.name,
        voter: member.role != MemberRole::Learner,
        lag: member.lag,
    });
    Answer {
        name: status.name,
        version: status.version,
        node_id: status.node_id,
        ensemble_id: ensemble.ensemble_id,
        has_log: status.last_log_index > 0 || status.applied_index > 0 || ensemble.membership_index > 0,
        last_log: status.last_log_term.map(|term| (term, status.last_log_index)),
        part: match status.role {
            MemberRole::Leader => Part::Leader,
            MemberRole::Candidate => Part::Candidate,
            MemberRole::Follower => Part::Follower,
            MemberRole::Learner => Part::Learner,
            MemberRole::Unformed => Part::Unformed,
        },
        term: ensemble.term,
        leader: ensemble.leader,
        membership_index: ensemble.membership_index,
        peers: peers.collect(),
        feature_level: status.feature_level,
        not_serving: status.not_serving,
    }
}

#[cfg(test)]
mod tests {
    use coordd_api::{EnsembleView, Refusal};

    use super::*;

    fn status(name: &str, last_log_index: u64) -> AdminStatus {
        AdminStatus {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            node_id: Some(4),
            role: MemberRole::Follower,
            last_log_index,
            last_log_term: Some(3),
            committed_index: 0,
            applied_index: 0,
            feature_level: 1,
            not_serving: None,
            ensemble: EnsembleView {
                ensemble_id: Some("e".to_owned()),
                leader: None,
                term: 1,
                membership_index: 0,
                connect_string: String::new(),
                members: Vec::new(),
            },
        }
    }

    fn refused(code: RefusalCode) -> ClientError {
        ClientError::Refused(Refusal {
            code,
            message: "no".to_owned(),
            what_to_do: String::new(),
            membership_index: None,
            leader: None,
        })
    }

    #[test]
    fn whoever_answers_under_another_name_is_not_the_one_that_was_asked() {
        let silent = heard("orders-1", Ok(status("orders-2", 0)));
        assert_eq!(silent, Asked::Silent("at its address orders-2 answers".to_owned()));
        assert!(heard("orders-1", Ok(status("orders-1", 0))).answer().is_some());
    }

    #[test]
    fn a_wrong_token_is_told_from_silence() {
        assert_eq!(heard("orders-1", Err(refused(RefusalCode::Unauthorized))), Asked::WrongToken);
        assert!(matches!(heard("orders-1", Err(refused(RefusalCode::Unavailable))), Asked::Silent(_)));
    }

    #[test]
    fn an_adopted_disk_that_has_heard_nothing_has_no_log() {
        assert!(!answer(status("orders-1", 0)).has_log);
        assert!(answer(status("orders-1", 1)).has_log);
    }

    #[test]
    fn a_last_entry_is_its_own_term_and_index_or_not_told() {
        assert_eq!(answer(status("orders-1", 9)).last_log, Some((3, 9)));
        let untold = AdminStatus { last_log_term: None, ..status("orders-1", 9) };
        assert_eq!(answer(untold).last_log, None);
    }
}
