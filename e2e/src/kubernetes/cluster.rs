//! The cluster of this machine: a control plane as plain processes, and three nodes in namespaces of their own.
//!
//! ```text
//!   <cache>/cluster/  kubeconfig  pki/  log/  pid/  images/*.tar  node1/{kubelet, containerd, disks/<volume>, …}
//!   <cache>/kubernetes-<digest>/  the programs                                       one cluster a machine
//! ```
//!
//! Rule: `down` finds by name all that `up` may have made, however far that came, and fails when anything is left.
//! Reason: a test that dies at any moment must leave the machine as it was.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::credentials::Authority;
use super::node::{Node, ip};
use super::processes::{Processes, until};
use super::{control, host, parts};
use crate::failure::{Failure, Result, Tried};
use crate::{image, place, shell};

pub(super) const NODES: u8 = 3;
/// The machine, as the nodes see it.
pub(super) const GATEWAY: &str = "10.89.0.1";
pub(super) const NETWORK: &str = "10.89.0.0/24";
pub(super) const PAUSE: &str = "coordd/pause:1";

/// Where it lies and what it runs.
#[derive(Debug, Clone)]
pub(super) struct Cluster {
    pub(super) dir: PathBuf,
    pub(super) bin: PathBuf,
}

impl Cluster {
    /// The cluster, whether it runs or not; its programs are built when they are missing.
    pub(super) fn of_this_machine() -> Result<Self> {
        host::prepare()?;
        let dir = place::cache()?.join("cluster");
        Ok(Cluster { dir, bin: parts::built()? })
    }

    /// A file of it, as an argument.
    pub(super) fn path(&self, file: &str) -> String {
        if file.is_empty() { self.dir.display().to_string() } else { self.dir.join(file).display().to_string() }
    }

    pub(super) fn processes(&self) -> Processes {
        Processes::of(&self.dir)
    }

    pub(super) fn start(&self, name: &str, program: &str, args: &[String]) -> Result<()> {
        self.processes().start(name, &self.bin.join(program), args)
    }

    /// Starts everything and waits until all nodes are ready.
    pub(super) fn up(&self) -> Result<()> {
        self.down()?;
        for folder in ["pid", "log", "images"] {
            let folder = self.dir.join(folder);
            fs::create_dir_all(&folder).tried(|| format!("create {}", folder.display()))?;
        }
        ip("link add cc-br type bridge")?;
        ip(&format!("addr add {GATEWAY}/24 dev cc-br"))?;
        ip("link set cc-br up")?;
        shell::run_quietly(Command::new("sysctl").args(["-qw", "net.ipv4.ip_forward=1"]))?;
        image::pack(&self.bin.join("pause"), &self.dir.join("images/pause.tar"), PAUSE)?;
        let authority = Authority::create(self.dir.join("pki"))?;
        control::start(self, &authority)?;
        for node in Node::all() {
            node.lay_out(self, &authority)?;
            node.start(self)?;
        }
        for node in Node::all() {
            until(60, &node.name(), || self.kubectl(&["get", "node", &node.name()]))?;
        }
        self.kubectl(&["wait", "--for", "condition=Ready", "nodes", "--all", "--timeout", "60s"])?;
        until(30, "the first service account", || self.kubectl(&["get", "serviceaccount", "default"])).map(drop)
    }

    /// Ends everything and removes what it left.
    pub(super) fn down(&self) -> Result<()> {
        Node::all().for_each(|node| node.stop(self));
        self.processes().signal("apiserver", "CONT");
        self.processes().stop(control::PROCESSES);
        if Path::new("/sys/class/net/cc-br").exists() {
            ip("link del cc-br")?;
        }
        until(10, "the end of the nodes", || {
            Node::all().for_each(Node::remove_cgroups);
            match self.leftovers().first() {
                Some(left) => Err(Failure::new(format!("{left} is left"))),
                None => Ok(()),
            }
        })?;
        if self.dir.exists() {
            fs::remove_dir_all(&self.dir).tried(|| format!("remove {}", self.dir.display()))?;
        }
        Ok(())
    }

    /// What it made and did not remove.
    fn leftovers(&self) -> Vec<String> {
        let processes = self.processes();
        let names = control::PROCESSES.iter().map(|name| (*name).to_owned()).chain(Node::all().map(Node::name));
        let alive = names.filter(|name| processes.alive(name).is_some()).map(|name| format!("process {name}"));
        let groups = Node::all().flat_map(Node::cgroups).filter(|group| group.exists());
        let links = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
        let links = links.map(|entry| entry.path()).filter(|path| is_ours(path));
        let namespaces = fs::read_dir("/run/netns").into_iter().flatten().flatten();
        let namespaces = namespaces.map(|entry| entry.path()).filter(|path| is_ours(path));
        alive.chain(groups.chain(links).chain(namespaces).map(|path| path.display().to_string())).collect()
    }

    /// Whether its API server answers.
    pub(super) fn is_up(&self) -> bool {
        self.dir.join("kubeconfig").exists()
            && self.kubectl(&["get", "--raw", "/readyz", "--request-timeout", "3s"]).is_ok()
    }

    /// Makes an image known to every node, now and when it starts.
    pub(super) fn load(&self, archive: &Path) -> Result<()> {
        let name = archive.file_name().ok_or_else(|| Failure::new("an archive needs a name"))?;
        let kept = self.dir.join("images").join(name);
        fs::copy(archive, &kept).tried(|| format!("copy {}", archive.display()))?;
        Node::all().try_for_each(|node| node.load(self, &kept))
    }
}

fn is_ours(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("cc-"))
}
