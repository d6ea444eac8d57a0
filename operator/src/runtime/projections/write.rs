//! Carries a plan out, one write after the other.
//!
//! Rule: each is fenced by uid and resource version, and what is made is refused where there is one; then it is looked
//! at whose that is. Reason: between a look and a write the name may have become anybody's.

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::room::{self, Ours, Room};
use crate::names::manager;
use crate::projection::{Kind, Write, mark};
use crate::runtime::failure::Failure;
use crate::runtime::shelf::{Key, Shelf};
use crate::runtime::{Context, read};

/// What came of the writes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
    pub count: usize,
    /// What Kubernetes does not let in; what came after it was not tried.
    pub refused: Option<String>,
}

pub(super) struct Writer<'a> {
    pub context: &'a Context,
    pub room: &'a Room,
    pub namespace: &'a str,
}

impl Writer<'_> {
    pub(super) async fn all(&self, writes: &[Write]) -> Result<Done, Failure> {
        let mut done = Done::default();
        for write in writes {
            // On the heap: it holds an object.
            match Box::pin(self.one(write)).await {
                Ok(()) => done.count += 1,
                Err(failure) => match failure.refused() {
                    Some(hold) => {
                        done.refused = Some(hold.message);
                        return Ok(done);
                    }
                    None => return Err(failure),
                },
            }
        }
        Ok(done)
    }

    async fn one(&self, write: &Write) -> Result<(), Failure> {
        let shelves = &self.room.shelves;
        match write {
            Write::Service(object) => {
                self.apply("projection-service", Kind::Service, object.as_ref(), &shelves.services, room::service).await
            }
            Write::Slice(object) => {
                self.apply("projection-slice", Kind::Slice, object.as_ref(), &shelves.slices, room::slice).await
            }
            Write::ConfigMap(object) => {
                let (name, kind) = ("projection-config-map", Kind::ConfigMap);
                self.apply(name, kind, object.as_ref(), &shelves.config_maps, room::config_map).await
            }
            Write::Lease(object) => {
                self.apply("projection-lease", Kind::Lease, object.as_ref(), &shelves.leases, room::lease).await
            }
            Write::Delete { kind: Kind::Service, name, uid, resource_version } => {
                self.delete::<Service>("projection-service-delete", name, uid, resource_version).await?;
                shelves.services.put(&Key::new(self.namespace, name), None);
                Ok(())
            }
            Write::Delete { name, uid, resource_version, .. } => {
                self.delete::<EndpointSlice>("projection-slice-delete", name, uid, resource_version).await?;
                shelves.slices.put(&Key::new(self.namespace, name), None);
                Ok(())
            }
        }
    }

    async fn apply<K, T>(
        &self,
        write: &str,
        kind: Kind,
        object: &K,
        shelf: &Shelf<Ours<T>>,
        trim: fn(&K) -> Option<Ours<T>>,
    ) -> Result<(), Failure>
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
                Ok(())
            }
            Err(failure) => {
                if new && failure.is_late() {
                    let is = self.is_foreign::<K>(&name).await?;
                    self.room.note_foreign(kind, &name, is);
                }
                Err(failure)
            }
        }
    }

    async fn delete<K>(&self, write: &str, name: &str, uid: &str, version: &str) -> Result<(), Failure>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: Clone + std::fmt::Debug + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.context.client.clone(), self.namespace);
        let only_it = Preconditions { uid: Some(uid.to_owned()), resource_version: Some(version.to_owned()) };
        let params = DeleteParams { preconditions: Some(only_it), ..DeleteParams::default() };
        self.context.gate.write(write, api.delete(name, &params)).await.map(drop)
    }

    /// Whether an object of this name is there that no projection has made, or another one.
    async fn is_foreign<K>(&self, name: &str) -> Result<bool, Failure>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: Clone + std::fmt::Debug + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.context.client.clone(), self.namespace);
        let Some(object) = read("object of this name", api.get_metadata_opt(name)).await? else { return Ok(false) };
        let labelled = object.labels().get(crate::names::label::MANAGED_BY).is_some_and(|value| value == mark::MANAGED);
        // What bears the label is on a shelf, and judged there by its owner.
        Ok(!labelled)
    }

    /// Looks again at names that were somebody else's.
    pub(super) async fn look_again(&self, kind: Kind, name: &str) -> Result<(), Failure> {
        let is = match kind {
            Kind::Service => self.is_foreign::<Service>(name).await?,
            Kind::Slice => self.is_foreign::<EndpointSlice>(name).await?,
            Kind::ConfigMap => self.is_foreign::<ConfigMap>(name).await?,
            Kind::Lease => self.is_foreign::<Lease>(name).await?,
        };
        self.room.note_foreign(kind, name, is);
        Ok(())
    }
}
