//! Applications in a scene: they register themselves, each in the way of its library, and one calls them.
//!
//! ```text
//!   plain (coordd-versus) · Curator (Java) · kazoo (Python) ─► znodes ─► … ─► Service NAME, and headless NAME-each
//!                                       caller ─── kube-proxy, DNS ────────────┘
//! ```
//!
//! Rule: who is behind a Service is whoever answers when it is called, by name. Reason: an EndpointSlice that looks
//! right is not yet a call that arrives.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::ensemble::Ensemble;
use crate::scene::{PATIENCE, Scene, until};

const INSTANCE: &str = include_str!("../manifests/instance.yaml");
const PROGRAM: &str = include_str!("../manifests/program.yaml");
const PROGRAMS: &str = "programs";
const PORT: u16 = 7000;
const HTTP: u16 = 8080;
const CALLER: &str = "caller";
const POD_IP: &str = "$(POD_IP)";
/// So many calls find everyone behind a Service that there is to be found, all but surely.
const CALLS: usize = 40;

/// With what an application registers itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// None: the requests that Curator makes.
    Plain,
    Curator,
    Kazoo,
}

/// The applications of a scene.
#[derive(Debug)]
pub struct Apps<'a> {
    pub scene: &'a Scene,
    servers: String,
    member: String,
}

impl<'a> Apps<'a> {
    /// None yet, but for the one that calls the others.
    pub fn of(ensemble: &Ensemble<'a>) -> Result<Self> {
        let (servers, member) = (format!("{}:2181", ensemble.name), ensemble.leader()?);
        let apps = Apps { scene: ensemble.scene, servers, member };
        apps.begin_instance(CALLER, "/", "")?;
        apps.ready(&[CALLER])?;
        Ok(apps)
    }

    /// Makes the programs known that are no part of an image.
    pub fn with_programs(self) -> Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("apps").display().to_string();
        self.scene.kubectl(&["create", "configmap", PROGRAMS, &format!("--from-file={folder}")])?;
        Ok(self)
    }

    /// Starts these under a path, all at once, and waits until each serves.
    pub fn start(&self, library: Library, path: &str, names: &[&str]) -> Result<()> {
        for name in names {
            match library {
                Library::Plain => self.begin_instance(name, path, POD_IP)?,
                Library::Curator | Library::Kazoo => self.begin_program(library, "register", path, name)?,
            }
        }
        self.ready(names)
    }

    /// Starts these, which stand for election there in this order.
    pub fn stand(&self, library: Library, path: &str, names: &[&str]) -> Result<()> {
        names.iter().try_for_each(|name| {
            self.begin_program(library, "lead", path, name)?;
            self.ready(&[name])
        })
    }

    fn begin_instance(&self, name: &str, path: &str, address: &str) -> Result<()> {
        let values = [("NAME", name), ("ADDRESS", address), ("SERVERS", self.servers.as_str()), ("PATH", path)];
        self.scene.apply(INSTANCE, &values)
    }

    fn begin_program(&self, library: Library, role: &str, path: &str, name: &str) -> Result<()> {
        let mut command = match library {
            Library::Kazoo => vec!["python", "-u", "/programs/registrar.py"],
            _ => vec!["java", "-Xmx64m", "-XX:-UsePerfData", "-cp", "/jars/*", "/programs/Registrar.java"],
        };
        command.extend([role, self.servers.as_str(), path, name, POD_IP]);
        self.program(name, PROGRAMS, &command)
    }

    /// A pod with Python and Java that runs this command, the ConfigMap `volume` at `/programs`.
    pub fn program(&self, name: &str, volume: &str, command: &[&str]) -> Result<()> {
        let command = json!(command).to_string();
        self.scene.apply(PROGRAM, &[("NAME", name), ("VOLUME", volume), ("COMMAND", command.as_str())])
    }

    /// Waits until these serve.
    pub fn ready(&self, names: &[&str]) -> Result<()> {
        names.iter().try_for_each(|name| self.scene.wait(&format!("pod/{name}"), "condition=Ready", PATIENCE))
    }

    /// Kills these: nothing of them is ever heard again.
    pub fn kill(&self, names: &[&str]) -> Result<()> {
        self.scene.kubectl(&[&["delete", "pod", "--grace-period=0", "--force"], names].concat()).map(drop)
    }

    /// Kills one, and waits until no member knows of it any more: its session has ended. `view` is a path of discovery.
    pub fn kill_for_good(&self, name: &str, view: &str) -> Result<()> {
        let address = self.addresses_of(&[name])?.into_iter().next().context("an address")?;
        self.kill(&[name])?;
        until("its session ends", PATIENCE, || {
            let answer = self.scene.plain_http(&self.member, HTTP, &format!("v1/{view}"))?;
            ensure!(!answer.contains(&format!("\"{address}")), "{address} is there: {answer}");
            Ok(())
        })
    }

    /// Tells one something; what it answers.
    pub fn tell(&self, name: &str, words: &str) -> Result<String> {
        self.scene.http(name, PORT, words, PATIENCE)
    }

    /// Who answers through the Service, by name.
    pub fn behind(&self, service: &str) -> Result<BTreeSet<String>> {
        let text = self.tell(CALLER, &format!("fetch/{service}:80/{CALLS}"))?;
        let bodies: BTreeMap<String, usize> = serde_json::from_str(&text)?;
        Ok(bodies.into_keys().collect())
    }

    /// Which addresses the name has.
    fn addresses(&self, host: &str) -> Result<BTreeSet<String>> {
        Ok(serde_json::from_str(&self.tell(CALLER, &format!("names/{host}"))?)?)
    }

    pub fn addresses_of(&self, names: &[&str]) -> Result<BTreeSet<String>> {
        names.iter().map(|name| self.scene.kubectl(&["get", "pod", name, "-o", "jsonpath={.status.podIP}"])).collect()
    }

    /// Waits until these are behind the Service, and nobody else.
    pub fn until_behind(&self, what: &str, service: &str, names: &[&str]) -> Result<()> {
        let wanted: BTreeSet<String> = names.iter().map(|&name| name.to_owned()).collect();
        until(what, PATIENCE, || {
            let found = self.behind(service)?;
            ensure!(found == wanted, "{found:?} answer, wanted are {wanted:?}");
            Ok(())
        })
    }

    /// Waits until these are behind the Service and the headless one beside it, and nobody else.
    pub fn until_reached(&self, what: &str, service: &str, names: &[&str]) -> Result<()> {
        self.until_behind(what, service, names)?;
        let addresses = self.addresses_of(names)?;
        until(what, PATIENCE, || {
            let found = self.addresses(&format!("{service}-each"))?;
            ensure!(found == addresses, "the name stands for {found:?}, wanted are {addresses:?}");
            Ok(())
        })
    }

    /// Waits until exactly these are endpoints of the Service; who is dead would be called for seconds.
    pub fn until_endpoints(&self, what: &str, service: &str, names: &[&str]) -> Result<()> {
        let wanted = self.addresses_of(names)?;
        until(what, PATIENCE, || {
            let found: BTreeSet<String> = endpoints(self.scene, service)?.into_iter().collect();
            ensure!(found == wanted, "endpoints of {service} are {found:?}, wanted are {wanted:?}");
            Ok(())
        })
    }

    /// Fails when, now, anyone but these is behind the Service, or one of them is not.
    pub fn are_behind(&self, service: &str, names: &[&str]) -> Result<()> {
        let wanted: BTreeSet<String> = names.iter().map(|&name| name.to_owned()).collect();
        let found = self.behind(service)?;
        ensure!(found == wanted, "{found:?} answer through {service}, wanted are {wanted:?}");
        Ok(())
    }

    /// How many endpoints of the Service differ from those that there are to be.
    pub fn wrong(&self, service: &str, names: &[&str]) -> Result<usize> {
        let found: BTreeSet<String> = endpoints(self.scene, service)?.into_iter().collect();
        Ok(found.symmetric_difference(&self.addresses_of(names)?).count())
    }
}

/// The addresses of all endpoints of a Service, in no order.
pub fn endpoints(scene: &Scene, service: &str) -> Result<Vec<String>> {
    let selector = format!("--selector=kubernetes.io/service-name={service}");
    let slices = scene.json(&["get", "endpointslices", &selector])?;
    let of_each = slices["items"].as_array().into_iter().flatten().filter_map(|slice| slice["endpoints"].as_array());
    Ok(of_each.flatten().filter_map(|endpoint| endpoint["addresses"][0].as_str().map(str::to_owned)).collect())
}
