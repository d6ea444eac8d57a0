//! What holds over any history of children that come and go, of names, and of what others do meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use super::shelf::*;
use crate::crd::ServiceProjection;
use crate::projection::*;

/// The first three become one name; the last is what the template makes of the one before it.
const CHILDREN: [&str; 5] = ["A.b", "a-b", "a_B", "cart", "x-cart"];
const TEMPLATES: [&str; 3] = ["{name}", "x-{name}", "{name}-v1"];
/// Names that somebody else may take.
const FOREIGN: [&str; 5] = ["a-b", "x-a-b", "cart", "x-cart", "cart-v1"];

#[derive(Clone, Debug)]
struct Round {
    /// Which children there are, and which of them may not be asked for.
    there: u8,
    refused: u8,
    template: usize,
    foreign: u8,
    /// After how many writes the operator dies and forgets everything.
    dies: Option<usize>,
    /// Somebody deletes the Service of this number, which takes its time.
    deletes: Option<usize>,
    pause: i64,
}

fn any_round() -> impl Strategy<Value = Round> {
    let many = prop_oneof![3 => Just(31_u8), 7 => 0_u8..32];
    let few = prop_oneof![3 => Just(0_u8), 1 => 0_u8..32];
    let dies = prop::option::weighted(0.3, 0_usize..8);
    let deletes = prop::option::weighted(0.2, 0_usize..8);
    (many, few.clone(), 0_usize..3, few, dies, deletes, 0_i64..100).prop_map(
        |(there, refused, template, foreign, dies, deletes, pause)| Round {
            there,
            refused,
            template,
            foreign,
            dies,
            deletes,
            pause,
        },
    )
}

fn chosen(mask: u8) -> impl Iterator<Item = usize> {
    (0..CHILDREN.len()).filter(move |at| mask & (1 << at) != 0)
}

fn path(at: usize) -> String {
    format!("/services/orders/{}", CHILDREN[at])
}

fn address(at: usize) -> String {
    format!("10.0.0.{}", at + 1)
}

fn views(round: &Round) -> Views {
    let names: Vec<&str> = chosen(round.there).map(|at| CHILDREN[at]).collect();
    let of = |at: usize| {
        let refused = round.refused & (1 << at) != 0;
        let answer = view(&path(at), 7, vec![up(&address(at))]);
        (path(at), if refused { View::Refused("403".to_owned()) } else { answer })
    };
    Views::Children { list: list(7, &names), services: chosen(round.there).map(of).collect() }
}

/// Of each Service that nobody is deleting: uid, source, and addresses.
fn seen(shelf: &Shelf) -> BTreeMap<String, (String, String, BTreeSet<String>)> {
    let alive = shelf.services.iter().filter(|(_, service)| service.metadata.deletion_timestamp.is_none());
    alive
        .map(|(name, service)| {
            let source = service.metadata.annotations.as_ref().unwrap()[mark::SOURCE].clone();
            let hosts = shelf.endpoints(name).into_keys();
            let hosts = hosts.map(|text| text.rsplit_once(':').unwrap().0.to_owned()).collect();
            (name.clone(), (service.metadata.uid.clone().unwrap(), source, hosts))
        })
        .collect()
}

/// Children that can be called by some Service.
fn called(shelf: &Shelf) -> BTreeSet<usize> {
    let seen = seen(shelf);
    let source = |at: usize| format!("shop/zk{}", path(at));
    let is_called =
        |at: &usize| seen.values().any(|(_, of, hosts)| *of == source(*at) && hosts.contains(&address(*at)));
    (0..CHILDREN.len()).filter(is_called).collect()
}

/// One round; what is not so at any write of it.
fn play(shelf: &mut Shelf, projection: &ServiceProjection, round: &Round, now: i64) -> Result<(), TestCaseError> {
    let views = views(round);
    let mut writes = 0;
    for plans in 0.. {
        let plan = shelf.plan(projection, &shelf.world(views.clone()), now);
        if plan.writes.is_empty() {
            let told = plan.conflicts.len() + plan.rejected.len() + plan.partial.len() + plan.waiting.len();
            let missing = chosen(round.there).filter(|at| !called(shelf).contains(at)).count();
            prop_assert!(missing <= told, "{missing} of the children have no Service and it is not told: {plan:?}");
            return Ok(());
        }
        prop_assert!(plans < 8, "it does not come to rest");
        for write in &plan.writes {
            if Some(writes) == round.dies {
                shelf.memory = Memory::default();
                return Ok(());
            }
            writes += 1;
            let (before, services) = (called(shelf), seen(shelf));
            shelf.write(write);
            let after = called(shelf);
            let lost = before.difference(&after).find(|at| round.there & (1 << **at) != 0);
            prop_assert_eq!(lost, None, "a child that is there cannot be called any more, by {:?}", write);
            for (name, (uid, source, hosts)) in seen(shelf) {
                prop_assert!(!shelf.foreign.contains(&(Kind::Service, name.clone())), "{name} is somebody else's");
                let own = (0..CHILDREN.len()).find(|at| source == format!("shop/zk{}", path(*at))).unwrap();
                prop_assert!(hosts.iter().all(|host| *host == address(own)), "{name} of {source} has {hosts:?}");
                if let Some((_, was, _)) = services.get(&name).filter(|(other, ..)| *other == uid) {
                    prop_assert_eq!(was, &source, "{} becomes that of another child", name);
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// A child that is there and could be called can be called after every single write; a Service never becomes that
    /// of another child, nor has another's endpoints; it comes to rest, and who has no Service then is told.
    #[test]
    fn whoever_can_be_called_stays_so_and_no_service_becomes_anothers(
        rounds in prop::collection::vec(any_round(), 1..8),
        drain in any::<bool>(),
    ) {
        let mut shelf = Shelf::default();
        let mut now = 0;
        for round in rounds {
            now += round.pause;
            let policy = if drain { "Drain" } else { "Keep" };
            let service = json!({"nameTemplate": TEMPLATES[round.template], "ports": [{"name": "http", "port": 80}]});
            let guards = json!({"guards": {"emptyPolicy": policy, "emptyGrace": "30s"}});
            let projection = projection(json!({"service": service}), guards);
            let foreign = FOREIGN.iter().enumerate().filter(|(at, _)| round.foreign & (1 << at) != 0);
            let foreign = foreign.filter(|(_, name)| !shelf.services.contains_key(**name));
            shelf.foreign = foreign.map(|(_, name)| (Kind::Service, (*name).to_owned())).collect();
            let doomed = round.deletes.and_then(|at| shelf.services.keys().nth(at).cloned());
            if let Some(doomed) = &doomed {
                let meta = &mut shelf.services.get_mut(doomed).unwrap().metadata;
                meta.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
            }
            play(&mut shelf, &projection, &round, now)?;
            if let Some(service) = doomed.and_then(|doomed| shelf.services.remove(&doomed)) {
                let uid = service.metadata.uid.unwrap();
                shelf.slices.retain(|_, slice| slice.metadata.owner_references.as_ref().unwrap()[0].uid != uid);
            }
        }
    }
}
