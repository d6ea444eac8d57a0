//! What a user orders by annotation: the few deeds that are never done by the operator's own judgement.
//!
//! Rule: each order names what it is for by an id that is never used again, so a deed that is done makes the order
//! void. Reason: an annotation stays, and a reconcile that runs again must not do it again.

use std::collections::BTreeMap;

use crate::names::annotation;

const CONFIRMATION: &str = "data-loss";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// The order, or what is wrong with it in words.
    pub recover: Option<Result<RecoverOrder, String>>,
    /// Ensemble whose kept volumes are to be taken over.
    pub adopt: Option<String>,
    /// Node id of the member that is to get a new volume.
    pub replace: Option<Result<u64, String>>,
}

/// Give the lost quorum up and go on with one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoverOrder {
    /// Name of the pod whose member goes on.
    pub survivor: String,
    /// The ensemble that is given up.
    pub ensemble_id: String,
}

impl Orders {
    pub fn read(annotations: &BTreeMap<String, String>) -> Orders {
        let given = |key: &str| annotations.get(key).map(|text| text.trim()).filter(|text| !text.is_empty());
        Orders {
            recover: given(annotation::RECOVER_QUORUM).map(recover),
            adopt: given(annotation::ADOPT_ENSEMBLE).map(str::to_owned),
            replace: given(annotation::REPLACE_MEMBER).map(|text| {
                text.parse().map_err(|_| format!("{} must be a member's id, not {text:?}", annotation::REPLACE_MEMBER))
            }),
        }
    }
}

fn recover(text: &str) -> Result<RecoverOrder, String> {
    let words: BTreeMap<_, _> = text.split_whitespace().filter_map(|word| word.split_once('=')).collect();
    let word = |key: &str| words.get(key).filter(|value| !value.is_empty()).copied();
    match (word("survivor"), word("ensemble"), word("confirm")) {
        (Some(survivor), Some(ensemble), Some(CONFIRMATION)) if words.len() == 3 => {
            Ok(RecoverOrder { survivor: survivor.to_owned(), ensemble_id: ensemble.to_owned() })
        }
        _ => Err(format!(
            "{} must read \"survivor=POD ensemble=ID confirm={CONFIRMATION}\"; what only the other members had is lost",
            annotation::RECOVER_QUORUM
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Result<RecoverOrder, String>> {
        Orders::read(&[(annotation::RECOVER_QUORUM.to_owned(), text.to_owned())].into()).recover
    }

    #[test]
    fn an_order_to_recover_names_the_survivor_the_ensemble_and_the_loss() {
        let order = read(" ensemble=e1 confirm=data-loss survivor=orders-1 ").unwrap().unwrap();
        assert_eq!(order, RecoverOrder { survivor: "orders-1".into(), ensemble_id: "e1".into() });
        for vague in ["orders-1", "survivor=orders-1 ensemble=e1", "survivor=orders-1 ensemble=e1 confirm=yes"] {
            assert!(read(vague).unwrap().unwrap_err().contains("survivor=POD"), "{vague}");
        }
        assert_eq!(read(""), None);
    }
}
