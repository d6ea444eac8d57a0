//! Carries a plan out, one write after the other.
//!
//! Rule: each is fenced by uid and resource version, and what is made is refused where there is one; then it is looked
//! at whose that is. One that has moved is read: its watch may be late, or dead. A write that cannot be made ends its
//! group and no other. Reason: between a look and a write the
//! name may have become anybody's; and a quota, a policy or a webhook that stands against one Service must not leave
//! the dead endpoints of all others where they are.

use std::collections::BTreeSet;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::room::{self, Ours, Room};
use crate::names::{label, manager};
use crate::projection::{Kind, Write, keeps_config_map, keeps_lease, keeps_service, keeps_slice, mark};
use crate::runtime::failure::Failure;
use crate::runtime::shelf::{Key, Shelf};
use crate::runtime::{Context, read};

/// Writes that may stay without an answer before the others are not tried either.
const SILENT_MAX: usize = 3;

/// What came of the writes.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub count: usize,
    /// What Kubernetes does not let in.
    pub refused: Vec<String>,
    /// The first that went wrong otherwise.
    pub failed: Option<Failure>,
}

/// What Kubernetes made of a write that it took.
#[derive(Debug, PartialEq, Eq)]
enum Kept {
    Whole,
    /// Something else stands there now; what is to be told of it.
    Changed(String),
}

/// The writes so far.
#[derive(Debug, Default)]
struct Ledger {
    done: Done,
    /// Groups of which one write could not be made.
    ended: BTreeSet<String>,
    silent: usize,
}

impl Ledger {
    fn is_tried(&self, write: &Write) -> bool {
        !self.ended.contains(&write.group())
    }

    /// Notes what came of a write; an error ends all of them.
    fn note(&mut self, write: &Write, outcome: Result<Kept, Failure>) -> Result<(), Failure> {
        let failure = match outcome {
            Ok(Kept::Whole) => {
                self.done.count += 1;
                return Ok(());
            }
            // What comes after it is of use nevertheless; and it would not be otherwise at once.
            Ok(Kept::Changed(why)) => {
                self.done.refused.push(why);
                return Ok(());
            }
            Err(failure) => failure,
        };
        let late = matches!(failure, Failure::Late { .. });
        self.silent += usize::from(late);
        let others_may_be_made = failure.is_of_one() || (late && self.silent <= SILENT_MAX);
        if !others_may_be_made {
            return Err(failure);
        }
        self.ended.insert(write.group());
        match failure.refused() {
            Some(hold) => self.done.refused.push(hold.message),
            None => drop(self.done.failed.get_or_insert(failure)),
        }
        Ok(())
    }
}

/// What is to be known of a kind of object.
struct How<K, T> {
    kind: Kind,
    trim: fn(&K) -> Option<Ours<T>>,
    keeps: fn(&K, &K) -> bool,
}

pub(super) struct Writer<'a> {
    pub context: &'a Context,
    pub room: &'a Room,
    pub namespace: &'a str,
}

impl Writer<'_> {
    pub(super) async fn all(&self, writes: &[Write]) -> Result<Done, Failure> {
        let mut ledger = Ledger::default();
        for write in writes {
            if ledger.is_tried(write) {
                // On the heap: it holds an object.
                let outcome = Box::pin(self.one(write)).await;
                ledger.note(write, outcome)?;
            }
        }
        Ok(ledger.done)
    }

    async fn one(&self, write: &Write) -> Result<Kept, Failure> {
        let shelves = &self.room.shelves;
        match write {
            Write::Service(object) => {
                let how = How { kind: Kind::Service, trim: room::service, keeps: keeps_service };
                self.apply("projection-service", object.as_ref(), &shelves.services, how).await
            }
            Write::Slice(object) => {
                let how = How { kind: Kind::Slice, trim: room::slice, keeps: keeps_slice };
                self.apply("projection-slice", object.as_ref(), &shelves.slices, how).await
            }
            Write::ConfigMap(object) => {
                let how = How { kind: Kind::ConfigMap, trim: room::config_map, keeps: keeps_config_map };
                self.apply("projection-config-map", object.as_ref(), &shelves.config_maps, how).await
            }
            Write::Lease(object) => {
                let how = How { kind: Kind::Lease, trim: room::lease, keeps: keeps_lease };
                self.apply("projection-lease", object.as_ref(), &shelves.leases, how).await
            }
            Write::Delete { kind: Kind::Service, name, uid, resource_version, .. } => {
                let what = ("projection-service-delete", name.as_str());
                self.delete(what, uid, resource_version, &shelves.services, room::service).await
            }
            Write::Delete { name, uid, resource_version, .. } => {
                let what = ("projection-slice-delete", name.as_str());
                self.delete(what, uid, resource_version, &shelves.slices, room::slice).await
            }
        }
    }

    async fn apply<K, T>(
        &self,
        write: &str,
        object: &K,
        shelf: &Shelf<Ours<T>>,
        How { kind, trim, keeps }: How<K, T>,
    ) -> Result<Kept, Failure>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: Clone + std::fmt::Debug + Serialize + DeserializeOwned,
        Ours<T>: PartialEq,
    {
        let api: Api<K> = Api::namespaced(self.context.client.clone(), self.namespace);
        let params = PatchParams::apply(manager::PROJECTIONS).force();
        let name = object.name_any();
        let new = object.meta().uid.is_none();
        match self.context.gate.write(write, api.patch(&name, &params, &Patch::Apply(object))).await {
            Ok(written) => {
                // The watch says so too, a moment later.
                shelf.put(&Key::new(self.namespace, &name), trim(&written));
                let words = "as it is written: it is older than a field of it, or a webhook changes it";
                let why = || format!("Kubernetes does not keep {kind} {name} {words}");
                Ok(if keeps(object, &written) { Kept::Whole } else { Kept::Changed(why()) })
            }
            Err(failure) => {
                if failure.is_late() && new {
                    let is = self.is_foreign::<K>(kind, &name).await?;
                    self.room.note_foreign(kind, &name, is);
                } else if failure.is_late() {
                    read_again(&api, shelf, &Key::new(self.namespace, &name), trim).await;
                }
                Err(failure)
            }
        }
    }

    async fn delete<K, T>(
        &self,
        (write, name): (&str, &str),
        uid: &str,
        version: &str,
        shelf: &Shelf<Ours<T>>,
        trim: fn(&K) -> Option<Ours<T>>,
    ) -> Result<Kept, Failure>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: Clone + std::fmt::Debug + DeserializeOwned,
        Ours<T>: PartialEq,
    {
        let api: Api<K> = Api::namespaced(self.context.client.clone(), self.namespace);
        let only_it = Preconditions { uid: Some(uid.to_owned()), resource_version: Some(version.to_owned()) };
        let params = DeleteParams { preconditions: Some(only_it), ..DeleteParams::default() };
        let key = Key::new(self.namespace, name);
        match self.context.gate.write(write, api.delete(name, &params)).await {
            Ok(_) => {
                shelf.put(&key, None);
                Ok(Kept::Whole)
            }
            Err(failure) => {
                if failure.is_late() {
                    read_again(&api, shelf, &key, trim).await;
                }
                Err(failure)
            }
        }
    }

    /// Whether an object of this name is there that no projection has made, or another one.
    async fn is_foreign<K>(&self, kind: Kind, name: &str) -> Result<bool, Failure>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: Clone + std::fmt::Debug + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.context.client.clone(), self.namespace);
        let Some(object) = read("object of this name", api.get_metadata_opt(name)).await? else { return Ok(false) };
        let labelled = is_labelled(&object);
        // What bears the label is on a shelf, and judged there by its owner; but for slices of a kind that no
        // projection makes.
        let unknown = || self.room.shelves.slices.get(&Key::new(self.namespace, name)).is_none();
        Ok(!labelled || (kind == Kind::Slice && unknown()))
    }

    /// Looks again at names that were somebody else's.
    pub(super) async fn look_again(&self, kind: Kind, name: &str) -> Result<(), Failure> {
        let is = match kind {
            Kind::Service => self.is_foreign::<Service>(kind, name).await?,
            Kind::Slice => self.is_foreign::<EndpointSlice>(kind, name).await?,
            Kind::ConfigMap => self.is_foreign::<ConfigMap>(kind, name).await?,
            Kind::Lease => self.is_foreign::<Lease>(kind, name).await?,
        };
        self.room.note_foreign(kind, name, is);
        Ok(())
    }
}

fn is_labelled(object: &impl ResourceExt) -> bool {
    object.labels().get(label::MANAGED_BY).is_some_and(|value| value == mark::MANAGED)
}

/// Puts on the shelf how an object is now that is not as it was seen: if its watch says nothing, nobody else does, and
/// every further write would be late too.
async fn read_again<K, T>(api: &Api<K>, shelf: &Shelf<Ours<T>>, key: &Key, trim: fn(&K) -> Option<Ours<T>>)
where
    K: Resource + Clone + std::fmt::Debug + DeserializeOwned,
    Ours<T>: PartialEq,
{
    match read("object that has moved", api.get_opt(&key.name)).await {
        Ok(found) => drop(shelf.put(key, found.filter(is_labelled).as_ref().and_then(trim))),
        Err(failure) => tracing::debug!(%failure, "an object that has moved cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::StatusCode;
    use kube::{Client, Config};
    use serde_json::{Value, json};

    use super::*;
    use crate::runtime::gate::WRITE_MAX;

    fn failure(code: u16) -> Failure {
        let reason = if code == 409 { "Conflict" } else { "Reason" };
        let status = kube::core::Status::failure("not so", reason).with_code(code).boxed();
        Failure::kubernetes("write", kube::Error::Api(status))
    }

    fn write(service: &str, kind: Kind, name: &str) -> Write {
        let (uid, resource_version) = ("u".to_owned(), "1".to_owned());
        Write::Delete { kind, group: service.to_owned(), name: name.to_owned(), uid, resource_version }
    }

    fn name(write: &Write) -> &str {
        let Write::Delete { name, .. } = write else { unreachable!() };
        name
    }

    fn plan() -> [Write; 5] {
        [
            write("a", Kind::Service, "a"),
            write("b", Kind::Service, "b"),
            write("b", Kind::Slice, "b-1"),
            write("c", Kind::Service, "c"),
            write("c", Kind::Slice, "c-1"),
        ]
    }

    #[test]
    fn what_cannot_be_written_for_one_service_stops_no_other() {
        for (code, refused, failed) in [(403, 1, None), (422, 1, None), (409, 0, Some(true)), (500, 0, Some(false))] {
            let (plan, mut ledger, mut tried) = (plan(), Ledger::default(), Vec::new());
            for write in plan.iter() {
                if ledger.is_tried(write) {
                    tried.push(name(write));
                    ledger.note(write, if name(write) == "b" { Err(failure(code)) } else { Ok(Kept::Whole) }).unwrap();
                }
            }
            let done = ledger.done;
            assert_eq!(tried, ["a", "b", "c", "c-1"], "{code}");
            assert_eq!((done.count, done.refused.len()), (3, refused), "{code}");
            assert_eq!(done.failed.map(|failure| failure.is_late()), failed, "{code}");
        }
    }

    /// A client of an API server that has this object alone, or none.
    async fn client(object: Option<Value>) -> Client {
        let answer = match object {
            Some(object) => (StatusCode::OK, object.to_string()),
            None => {
                let status = json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404});
                (StatusCode::NOT_FOUND, status.to_string())
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(move || std::future::ready(answer.clone()));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Client::try_from(Config::new(url.parse().unwrap())).unwrap()
    }

    #[tokio::test]
    async fn an_object_that_has_moved_is_known_as_it_is_now_though_its_watch_is_dead() {
        let object = |version: &str, managed: &str| {
            let labels = json!({label::MANAGED_BY: managed, mark::PROJECTION: "web"});
            let metadata = json!({"name": "web", "namespace": "shop", "resourceVersion": version, "labels": labels});
            json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata})
        };
        let key = Key::new("shop", "web");
        for (now, known) in [
            (Some(object("9", mark::MANAGED)), Some("9".to_owned())),
            (Some(object("9", "somebody")), None),
            (None, None),
        ] {
            let shelf = Shelf::new(&[None]);
            shelf.put(&key, room::service(&serde_json::from_value(object("7", mark::MANAGED)).unwrap()));
            let api = Api::<Service>::namespaced(client(now).await, "shop");
            read_again(&api, &shelf, &key, room::service).await;
            assert_eq!(shelf.get(&key).map(|ours| ours.value.owned.resource_version.clone()), known);
        }
    }

    #[test]
    fn what_is_not_kept_is_told_and_not_counted_as_done() {
        let (plan, mut ledger) = (plan(), Ledger::default());
        ledger.note(&plan[1], Ok(Kept::Changed("not so".to_owned()))).unwrap();
        assert!(ledger.is_tried(&plan[2]), "its endpoints are written all the same");
        assert_eq!((ledger.done.count, ledger.done.refused), (0, vec!["not so".to_owned()]));
    }

    #[test]
    fn when_nothing_can_be_written_nothing_more_is_tried() {
        let late = || Failure::Late { what: "write".to_owned(), limit: WRITE_MAX };
        for first in [failure(503), Failure::NotLeading] {
            assert!(Ledger::default().note(&plan()[0], Err(first)).is_err());
        }
        let mut ledger = Ledger::default();
        let plan = plan();
        assert!((0..3).all(|at| ledger.note(&plan[at], Err(late())).is_ok()));
        assert!(ledger.note(&plan[3], Err(late())).is_err());
    }
}
