//! The programs that a Kubernetes cluster is made of, built from their Go modules once a machine.
//!
//! ```text
//!   e2e/kubernetes/<module>/go.mod ──sha256──► <cache>/kubernetes-<digest>/{kube-apiserver, kubelet, etcd, …, helm}
//! ```
//!
//! Rule: the digest of the recipe names the folder, and a program is there only when it is whole. Reason: the build
//! takes minutes, so that it must survive `cargo clean`, serve all checkouts, and go on where it was interrupted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::failure::{Result, Tried};
use crate::{place, shell, tools};

/// What is built: the folder of the module, the package, and the name of the program.
const PARTS: &[(&str, &str, &str)] = &[
    ("pause", ".", "pause"),
    ("provisioner", ".", "provisioner"),
    ("coredns", ".", "coredns"),
    ("etcd", "go.etcd.io/etcd/server/v3", "etcd"),
    ("kubernetes", "k8s.io/kubernetes/cmd/kubectl", "kubectl"),
    ("kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver"),
    ("kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager", "kube-controller-manager"),
    ("kubernetes", "k8s.io/kubernetes/cmd/kube-scheduler", "kube-scheduler"),
    ("kubernetes", "k8s.io/kubernetes/cmd/kubelet", "kubelet"),
    ("kubernetes", "k8s.io/kubernetes/cmd/kube-proxy", "kube-proxy"),
    ("helm", "helm.sh/helm/v3/cmd/helm", "helm"),
];

/// A source build calls itself v0.0.0, which Helm and kubectl refuse.
const VERSION: &str = "-s -w -X k8s.io/component-base/version.gitVersion=v1.34.4 \
                       -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=34";

/// The folder with all programs, built where they are missing.
pub(super) fn built() -> Result<PathBuf> {
    let recipe = place::repository().join("e2e/kubernetes");
    let bin = place::cache()?.join(format!("kubernetes-{}", digest(&recipe)?));
    let missing: Vec<_> = PARTS.iter().filter(|(_, _, program)| !bin.join(program).exists()).collect();
    if missing.is_empty() {
        return Ok(bin);
    }
    tools::need("go", "golang")?;
    fs::create_dir_all(&bin).tried(|| format!("create {}", bin.display()))?;
    println!("      building Kubernetes once for this machine, in {}", bin.display());
    for (i, (module, package, program)) in missing.iter().enumerate() {
        let began = Instant::now();
        build(&recipe.join(module), package, &bin.join(program))?;
        println!("      [{}/{}] {program} built in {:.0} s", i + 1, missing.len(), began.elapsed().as_secs_f64());
    }
    Ok(bin)
}

fn build(module: &Path, package: &str, program: &Path) -> Result<()> {
    let unfinished = program.with_extension("unfinished");
    let mut go = Command::new("go");
    go.current_dir(module).env("CGO_ENABLED", "0").args(["build", "-trimpath", "-ldflags", VERSION, "-o"]);
    shell::run_quietly(go.arg(&unfinished).arg(package))?;
    fs::rename(&unfinished, program).tried(|| format!("rename {}", unfinished.display()))
}

/// Of all that decides what the programs are.
fn digest(recipe: &Path) -> Result<String> {
    let mut sum = Command::new("sh");
    sum.current_dir(recipe).args(["-c", "cat */go.mod */go.sum */*.go | sha256sum | cut -c1-12"]);
    Ok(shell::run_quietly(&mut sum)?.trim().to_owned())
}
