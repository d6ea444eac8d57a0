//! A node: a network namespace with one cable, and in it the namespaces in which its kubelet and containerd live.
//!
//! ```text
//!   cc-br 10.89.0.1 ──cc-n1──► eth0 10.89.0.11 │ containerd, kubelet, kube-proxy │ pods 10.244.1.0/24, zone z1
//!         └───────────cc-n2──► …
//! ```
//!
//! Rule: what a node owns is in its namespaces, its folder and its cgroup, and nowhere else. Reason: power off is then
//! one signal, and nothing of it can survive by mistake.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cluster::{Cluster, GATEWAY, NETWORK, NODES, PAUSE};
use super::credentials::Authority;
use super::template;
use crate::failure::{Failure, Result, Tried};
use crate::shell;

const BOOT: &str = include_str!("../../kubernetes/files/boot");
/// What a node's folder has: file and text.
const FILES: &[(&str, &str)] = &[
    ("containerd.toml", include_str!("../../kubernetes/files/containerd.toml")),
    ("cni/10-pods.conflist", include_str!("../../kubernetes/files/cni.json")),
    ("kubelet.yaml", include_str!("../../kubernetes/files/kubelet.yaml")),
    ("kube-proxy.yaml", include_str!("../../kubernetes/files/kube-proxy.yaml")),
    ("boot", BOOT),
];
const CGROUPS: &str = "/sys/fs/cgroup";

/// The node of that number, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node(pub(super) u8);

impl Node {
    pub(super) fn all() -> impl Iterator<Item = Node> {
        (1..=NODES).map(Node)
    }

    /// By its name in the cluster.
    pub(super) fn named(name: &str) -> Result<Self> {
        let known = Node::all().find(|node| node.name() == name);
        known.ok_or_else(|| Failure::new(format!("no node is named {name}; there are node1 to node{NODES}")))
    }

    pub(super) fn name(self) -> String {
        format!("node{}", self.0)
    }

    fn namespace(self) -> String {
        format!("cc-node{}", self.0)
    }

    /// The end of its cable at the bridge.
    fn cable(self) -> String {
        format!("cc-n{}", self.0)
    }

    fn address(self) -> String {
        format!("10.89.0.{}", 10 + self.0)
    }

    fn pods(self) -> String {
        format!("10.244.{}.0/24", self.0)
    }

    /// Everything that it reads when it starts.
    pub(super) fn lay_out(self, cluster: &Cluster, authority: &Authority) -> Result<()> {
        let (name, home) = (self.name(), cluster.dir.join(self.name()));
        for folder in ["kubelet", "containerd", "logs", "cni", "disks"] {
            let folder = home.join(folder);
            fs::create_dir_all(&folder).tried(|| format!("create {}", folder.display()))?;
        }
        authority.certify(&name, &format!("/O=system:nodes/CN=system:node:{name}"), "")?;
        authority.kubeconfig(&name, &format!("https://{GATEWAY}:6443"), &home.join("kubeconfig"))?;
        let values = [
            ("HOME", home.display().to_string()),
            ("DIR", cluster.path("")),
            ("BIN", cluster.bin.display().to_string()),
            ("PKI", authority.pki.display().to_string()),
            ("NAME", name),
            ("NODE", self.namespace()),
            ("ADDRESS", self.address()),
            ("PODS", self.pods()),
            ("ZONE", format!("z{}", self.0)),
            ("GATEWAY", GATEWAY.to_owned()),
            ("NETWORK", NETWORK.to_owned()),
            ("PAUSE", PAUSE.to_owned()),
        ];
        let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for (file, text) in FILES {
            template::write(&home.join(file), text, &values)?;
        }
        let boot = home.join("boot");
        fs::set_permissions(&boot, fs::Permissions::from_mode(0o755)).tried(|| format!("chmod {}", boot.display()))?;
        ip(&format!("route add {} via {} dev cc-br", self.pods(), self.address()))
    }

    /// Gives it power.
    pub(super) fn start(self, cluster: &Cluster) -> Result<()> {
        let (namespace, cable) = (self.namespace(), self.cable());
        ip(&format!("netns add {namespace}"))?;
        ip(&format!("link add {cable} type veth peer name eth0 netns {namespace}"))?;
        ip(&format!("link set {cable} master cc-br up"))?;
        ip(&format!("-n {namespace} addr add {}/24 dev eth0", self.address()))?;
        ip(&format!("-n {namespace} link set eth0 up"))?;
        ip(&format!("-n {namespace} link set lo up"))?;
        ip(&format!("-n {namespace} route add default via {GATEWAY}"))?;
        ip(&format!("netns exec {namespace} sysctl -qw net.ipv4.ip_forward=1"))?;
        for other in Node::all().filter(|other| *other != self) {
            ip(&format!("-n {namespace} route add {} via {}", other.pods(), other.address()))?;
        }
        self.make_cgroups()?;
        // Not `ip netns exec`, which hides the cgroups under a fresh /sys.
        let enter = format!(
            "--net=/run/netns/{namespace} unshare --mount --uts --pid --fork --kill-child --mount-proc {}",
            cluster.path(&format!("{}/boot", self.name()))
        );
        let enter: Vec<String> = enter.split_whitespace().map(str::to_owned).collect();
        cluster.processes().start(&self.name(), Path::new("nsenter"), &enter)
    }

    /// Takes its power away: everything on it dies at once.
    pub(super) fn stop(self, cluster: &Cluster) {
        cluster.processes().kill(&self.name());
        // Either may be gone already.
        let _absent = ip(&format!("netns del {}", self.namespace()));
        let _absent = ip(&format!("link del {}", self.cable()));
    }

    /// Pulls its network cable, or puts it back.
    pub(super) fn connect(self, up: bool) -> Result<()> {
        ip(&format!("link set {} {}", self.cable(), if up { "up" } else { "down" }))
    }

    /// Copies a docker archive into its containerd; a node without power takes it when it starts.
    pub(super) fn load(self, cluster: &Cluster, archive: &Path) -> Result<()> {
        let Some(leader) = cluster.processes().alive(&self.name()) else { return Ok(()) };
        let boot = child_of(leader).ok_or_else(|| Failure::new(format!("{} has no process", self.name())))?;
        let mut ctr = Command::new("nsenter");
        ctr.args(["-t", &boot.to_string(), "-m", "ctr", "--address", "/run/containerd/containerd.sock"]);
        shell::run_quietly(ctr.args(["--namespace", "k8s.io", "images", "import"]).arg(archive)).map(drop)
    }

    /// The kubelet wants its root group in every controller, and a cpuset to be filled in.
    fn make_cgroups(self) -> Result<()> {
        for group in self.cgroups() {
            fs::create_dir_all(&group).tried(|| format!("create {}", group.display()))?;
            let above = Path::new(CGROUPS).join("cpuset");
            if group.starts_with(&above) {
                for file in ["cpuset.cpus", "cpuset.mems"] {
                    let all = fs::read_to_string(above.join(file)).tried(|| format!("read {file}"))?;
                    fs::write(group.join(file), all).tried(|| format!("write {}", group.join(file).display()))?;
                }
            }
        }
        Ok(())
    }

    /// Removes its groups, from the leaves up.
    pub(super) fn remove_cgroups(self) {
        for group in self.cgroups().iter().filter(|group| group.exists()) {
            // What cannot be removed is found by `down`, which looks again.
            let mut find = Command::new("find");
            let _busy = shell::run_quietly(find.arg(group).args(["-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]));
        }
    }

    /// One in each hierarchy (version 1), or the only one (version 2).
    pub(super) fn cgroups(self) -> Vec<PathBuf> {
        if Path::new(CGROUPS).join("cgroup.controllers").exists() {
            return vec![Path::new(CGROUPS).join(self.namespace())];
        }
        let hierarchies = fs::read_dir(CGROUPS).into_iter().flatten().flatten();
        let folders = hierarchies.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        folders.map(|entry| entry.path().join(self.namespace())).collect()
    }
}

/// `ip` with these words.
pub(super) fn ip(words: &str) -> Result<()> {
    shell::run_quietly(Command::new("ip").args(words.split_whitespace())).map(drop)
}

fn child_of(parent: u32) -> Option<u32> {
    let pids = fs::read_dir("/proc").ok()?.flatten().filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after_name = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
        after_name.split_whitespace().nth(1) == Some(&parent.to_string())
    };
    pids.into_iter().find(is_child)
}
