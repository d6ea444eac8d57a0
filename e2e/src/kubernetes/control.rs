//! The control plane: etcd, the API server, the two controllers, DNS and volumes, as processes of the machine itself.

use std::process::Command;

use super::cluster::{Cluster, GATEWAY};
use super::credentials::Authority;
use super::processes::until;
use super::template;
use crate::failure::Result;
use crate::shell;

/// In the order in which they start.
pub(super) const PROCESSES: &[&str] =
    &["etcd", "apiserver", "controller-manager", "scheduler", "coredns", "provisioner"];

const COREFILE: &str = include_str!("../../kubernetes/files/Corefile");
const START: &str = include_str!("../../kubernetes/files/start.yaml");
const ETCD: &str = "http://127.0.0.1:23790";

/// Certificates, the files that name the API server, and every process but the nodes.
pub(super) fn start(cluster: &Cluster, authority: &Authority) -> Result<()> {
    credentials(cluster, authority)?;
    start_etcd(cluster)?;
    start_api_server(cluster)?;
    until(60, "the API server", || cluster.kubectl(&["get", "--raw", "/readyz"]))?;
    start_controllers(cluster)?;
    let corefile = cluster.dir.join("Corefile");
    template::write(&corefile, COREFILE, &[("GATEWAY", GATEWAY), ("DIR", &cluster.path(""))])?;
    cluster.start("coredns", "coredns", &["-conf".to_owned(), cluster.path("Corefile")])?;
    let start = cluster.dir.join("start.yaml");
    template::write(&start, START, &[])?;
    until(20, "the first objects", || cluster.kubectl(&["apply", "-f", &cluster.path("start.yaml")]))?;
    cluster.start("provisioner", "provisioner", &[cluster.path("kubeconfig"), cluster.path("")])
}

fn credentials(cluster: &Cluster, authority: &Authority) -> Result<()> {
    let names = format!(
        "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:localhost,IP:127.0.0.1,IP:{GATEWAY},\
         IP:10.96.0.1"
    );
    authority.certify("apiserver", "/CN=kube-apiserver", &names)?;
    let (here, there) = ("https://127.0.0.1:6443", format!("https://{GATEWAY}:6443"));
    for (who, subject, server, file) in [
        ("admin", "/O=system:masters/CN=admin", here, "kubeconfig"),
        ("controller-manager", "/CN=system:kube-controller-manager", here, "controller-manager.kubeconfig"),
        ("scheduler", "/CN=system:kube-scheduler", here, "scheduler.kubeconfig"),
        ("proxy", "/CN=system:kube-proxy", there.as_str(), "proxy.kubeconfig"),
    ] {
        authority.certify(who, subject, "")?;
        authority.kubeconfig(who, server, &cluster.dir.join(file))?;
    }
    Ok(())
}

fn start_etcd(cluster: &Cluster) -> Result<()> {
    // What is tested is not etcd: it need not survive the machine.
    let flags = format!(
        "--unsafe-no-fsync --log-level warn --listen-client-urls {ETCD} --advertise-client-urls {ETCD} \
         --listen-peer-urls http://127.0.0.1:23800"
    );
    cluster.start("etcd", "etcd", &words(&flags, &[("--data-dir", cluster.path("etcd"))]))
}

/// Also after it was ended on purpose.
pub(super) fn start_api_server(cluster: &Cluster) -> Result<()> {
    let pki = |file: &str| cluster.path(&format!("pki/{file}"));
    let flags = format!(
        "--etcd-servers {ETCD} --bind-address 0.0.0.0 --advertise-address {GATEWAY} --secure-port 6443 \
         --service-cluster-ip-range 10.96.0.0/12 --authorization-mode Node,RBAC --allow-privileged=true \
         --enable-admission-plugins NodeRestriction --kubelet-preferred-address-types InternalIP \
         --service-account-issuer https://kubernetes.default.svc.cluster.local"
    );
    let files = [
        ("--client-ca-file", pki("ca.crt")),
        ("--tls-cert-file", pki("apiserver.crt")),
        ("--tls-private-key-file", pki("apiserver.key")),
        ("--kubelet-client-certificate", pki("admin.crt")),
        ("--kubelet-client-key", pki("admin.key")),
        ("--service-account-key-file", pki("service-account.key")),
        ("--service-account-signing-key-file", pki("service-account.key")),
    ];
    cluster.start("apiserver", "kube-apiserver", &words(&flags, &files))
}

fn start_controllers(cluster: &Cluster) -> Result<()> {
    // A node is given up after 20 s, not 50, so that a lost one can be tested in reasonable time.
    let flags = "--leader-elect=false --authentication-skip-lookup --bind-address 127.0.0.1 \
                 --use-service-account-credentials --node-monitor-grace-period 20s";
    let files = [
        ("--kubeconfig", cluster.path("controller-manager.kubeconfig")),
        ("--service-account-private-key-file", cluster.path("pki/service-account.key")),
        ("--root-ca-file", cluster.path("pki/ca.crt")),
    ];
    cluster.start("controller-manager", "kube-controller-manager", &words(flags, &files))?;
    let flags = "--leader-elect=false --authentication-skip-lookup --bind-address 127.0.0.1";
    let files = [("--kubeconfig", cluster.path("scheduler.kubeconfig"))];
    cluster.start("scheduler", "kube-scheduler", &words(flags, &files))
}

fn words(flags: &str, more: &[(&str, String)]) -> Vec<String> {
    let flags = flags.split_whitespace().map(str::to_owned);
    flags.chain(more.iter().flat_map(|(flag, value)| [(*flag).to_owned(), value.clone()])).collect()
}

impl Cluster {
    /// kubectl as the administrator.
    pub(super) fn kubectl(&self, args: &[&str]) -> Result<String> {
        let mut kubectl = Command::new(self.bin.join("kubectl"));
        kubectl.arg("--kubeconfig").arg(self.dir.join("kubeconfig")).args(args);
        shell::run_quietly(&mut kubectl)
    }
}
