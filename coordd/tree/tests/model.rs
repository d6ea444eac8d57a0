//! Random operations against a model so naive that it is obviously right: a map of paths, cloned for a multi.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod support;

use std::collections::BTreeMap;

use bytes::Bytes;
use coordd_proto::{ErrorCode, MultiResult, OpCode, Reply};
use coordd_tree::{Outcome, State};
use proptest::prelude::*;
use support::*;

#[derive(Clone, Debug)]
enum Step {
    Create { path: String, data: String, flags: i32 },
    Set { path: String, data: String, version: i32 },
    Delete { path: String, version: i32 },
    Check { path: String, version: i32 },
}

#[derive(Clone, Debug, Default)]
struct ModelNode {
    data: String,
    version: i32,
    creates: i32,
    children: i32,
    ephemeral: bool,
}

#[derive(Clone, Debug)]
struct Model(BTreeMap<String, ModelNode>);

fn version_fits(expected: i32, version: i32) -> Result<(), ErrorCode> {
    if expected == -1 || expected == version { Ok(()) } else { Err(ErrorCode::BadVersion) }
}

impl Model {
    fn new() -> Model {
        Model([(String::new(), ModelNode::default())].into())
    }

    fn apply(&mut self, step: &Step) -> Result<(), ErrorCode> {
        match step {
            Step::Create { path, data, flags } => {
                let (parent_path, _) = path.rsplit_once('/').unwrap();
                let parent = self.0.get(parent_path).ok_or(ErrorCode::NoNode)?;
                let path = if flags & 2 == 2 { format!("{path}{:010}", parent.creates) } else { path.clone() };
                if self.0.contains_key(&path) {
                    return Err(ErrorCode::NodeExists);
                }
                if parent.ephemeral {
                    return Err(ErrorCode::NoChildrenForEphemerals);
                }
                let parent = self.0.get_mut(parent_path).unwrap();
                (parent.creates, parent.children) = (parent.creates + 1, parent.children + 1);
                let ephemeral = flags & 1 == 1;
                self.0.insert(path, ModelNode { data: data.clone(), ephemeral, ..ModelNode::default() });
            }
            Step::Set { path, data, version } => {
                let node = self.0.get_mut(path).ok_or(ErrorCode::NoNode)?;
                version_fits(*version, node.version)?;
                (node.data, node.version) = (data.clone(), node.version + 1);
            }
            Step::Delete { path, version } => {
                let (parent, _) = path.rsplit_once('/').unwrap();
                if !self.0.contains_key(parent) {
                    return Err(ErrorCode::NoNode);
                }
                let node = self.0.get(path).ok_or(ErrorCode::NoNode)?;
                version_fits(*version, node.version)?;
                if node.children > 0 {
                    return Err(ErrorCode::NotEmpty);
                }
                self.0.remove(path);
                self.0.get_mut(parent).unwrap().children -= 1;
            }
            Step::Check { path, version } => {
                version_fits(*version, self.0.get(path).ok_or(ErrorCode::NoNode)?.version)?;
            }
        }
        Ok(())
    }

    fn apply_all(&mut self, steps: &[Step]) -> Vec<Option<ErrorCode>> {
        let mut draft = self.clone();
        for (at, step) in steps.iter().enumerate() {
            if let Err(code) = draft.apply(step) {
                let behind = vec![Some(ErrorCode::RuntimeInconsistency); steps.len() - at - 1];
                return [vec![None; at], vec![Some(code)], behind].concat();
            }
        }
        *self = draft;
        vec![None; steps.len()]
    }
}

fn wire(step: &Step) -> (OpCode, Bytes) {
    match step {
        Step::Create { path, data, flags } => {
            (OpCode::Create, create_record(path, Some(data.as_bytes()), &open_acl(), *flags, None))
        }
        Step::Set { path, data, version } => (OpCode::SetData, set_record(path, Some(data.as_bytes()), *version)),
        Step::Delete { path, version } => (OpCode::Delete, path_version(path, *version)),
        Step::Check { path, version } => (OpCode::Check, path_version(path, *version)),
    }
}

fn paths() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..4)
        .prop_map(|names| format!("/{}", names.join("/")))
}

fn steps() -> impl Strategy<Value = Step> {
    let version = || prop_oneof![4 => Just(-1), 1 => 0..3i32];
    let data = || prop::sample::select(vec!["", "x", "yy", "a longer one"]).prop_map(str::to_owned);
    prop_oneof![
        4 => (paths(), data(), prop::sample::select(vec![0, 0, 0, 1, 2, 3]))
            .prop_map(|(path, data, flags)| Step::Create { path, data, flags }),
        2 => (paths(), data(), version()).prop_map(|(path, data, version)| Step::Set { path, data, version }),
        3 => (paths(), version()).prop_map(|(path, version)| Step::Delete { path, version }),
        1 => (paths(), version()).prop_map(|(path, version)| Step::Check { path, version }),
    ]
}

fn agree(state: &State, model: &Model) {
    // The model has no system znodes; the state's root has one child more that no create made.
    assert_eq!(state.znode_count(), model.0.len() + 3);
    let ephemerals = model.0.values().filter(|node| node.ephemeral).count();
    assert_eq!(state.ephemerals_count(), ephemerals);
    for (path, node) in model.0.iter().filter(|(path, _)| !path.is_empty()) {
        let (data, stat) = state.get_data(path, &[]).unwrap();
        assert_eq!(data, Some(node.data.as_bytes()), "{path}");
        assert_eq!(
            (stat.version, stat.cversion, stat.num_children),
            (node.version, node.creates * 2 - node.children, node.children),
            "{path}"
        );
        assert_eq!(state.children(path, &[]).unwrap().0.count(), node.children as usize, "{path}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_operation_and_every_multi_ends_as_in_the_model(
        batches in prop::collection::vec(prop::collection::vec(steps(), 1..6), 1..40)
    ) {
        let mut rig = Rig::with_session();
        let mut model = Model::new();
        for batch in batches {
            if let [single] = &batch[..] && !matches!(single, Step::Check { .. }) {
                let (op, record) = wire(single);
                let outcome = rig.client(op, record);
                let expected = model.apply(single);
                prop_assert!(matches!(&outcome, Outcome::Done(done) if done.as_ref().err() == expected.as_ref().err()),
                    "{:?} was {:?}, in the model {:?}", single, outcome, expected);
            } else {
                let ops: Vec<_> = batch.iter().map(wire).collect();
                let outcome = rig.client(OpCode::Multi, multi_record(&ops));
                let expected = model.apply_all(&batch);
                let Outcome::Done(Ok(Reply::Multi(results))) = outcome else { panic!("{outcome:?}") };
                let codes: Vec<_> = results.iter().map(|result| match result {
                    MultiResult::Error(code) => Some(*code),
                    _ => None,
                }).collect();
                prop_assert_eq!(&codes, &expected, "{:?}", batch);
                prop_assert!(codes.iter().all(Option::is_none) || rig.changes.is_empty());
            }
            agree(&rig.state, &model);
        }
        let (loaded, _) = State::load(&snapshot(&mut rig.state)[..]).unwrap();
        prop_assert_eq!(loaded.digest(), rig.state.digest());
        agree(&loaded, &model);
    }
}
