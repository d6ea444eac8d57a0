//! `cargo image`: container images as docker archives, made without a container engine.
//!
//! ```text
//!   static binary ──► layer.tar (one file, /coordd) ──► config (its digest) ──► manifest ──► target/images/coordd.tar
//! ```
//!
//! Rule: the same sources give the same bytes: names sorted, times zero, owner zero. Reason: an image is compared by
//! its digest, and a node that has it must not fetch it again.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::failure::{Failure, Result, Tried};
use crate::{place, shell};

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// A static binary finds no `getrandom` by name at run time, so the system call is chosen at build time.
const RUSTFLAGS: &str = "-Ctarget-feature=+crt-static --cfg=getrandom_backend=\"linux_getrandom\"";

pub(crate) fn command(args: &[String]) -> Result<()> {
    if !args.is_empty() {
        return Err(Failure::new("usage: cargo image"));
    }
    let target = place::build().join("image");
    let mut cargo = shell::cargo(&["build", "--release", "-p", "coordd", "--target", TARGET, "--target-dir"]);
    shell::run(cargo.arg(&target).env("RUSTFLAGS", RUSTFLAGS))?;
    let binary = target.join(TARGET).join("release/coordd");
    let archive = place::repository().join("target/images/coordd.tar");
    pack(&binary, &archive, "coordd", env!("CARGO_PKG_VERSION"))?;
    println!("{} holds coordd/coordd:{}", archive.display(), env!("CARGO_PKG_VERSION"));
    Ok(())
}

/// Writes an image whose only file and entry point is `/NAME`.
fn pack(binary: &Path, archive: &Path, name: &str, version: &str) -> Result<()> {
    let work = archive.with_extension("work");
    let _absent = fs::remove_dir_all(&work);
    let root = work.join("root");
    fs::create_dir_all(&root).tried(|| format!("create {}", root.display()))?;
    fs::copy(binary, root.join(name)).tried(|| format!("copy {}", binary.display()))?;
    let layer = work.join("layer.tar");
    tar(&layer, &root, &[name])?;
    let diff = sha256(&layer)?;
    let rootfs = format!(r#"{{"type":"layers","diff_ids":["sha256:{diff}"]}}"#);
    let run = format!(r#"{{"Entrypoint":["/{name}"]}}"#);
    let config = format!(r#"{{"architecture":"amd64","os":"linux","config":{run},"rootfs":{rootfs}}}"#);
    let config_file = work.join("config.json");
    fs::write(&config_file, config).tried(|| format!("write {}", config_file.display()))?;
    let config_name = format!("{}.json", sha256(&config_file)?);
    fs::rename(&config_file, work.join(&config_name)).tried(|| "name the configuration".to_owned())?;
    let manifest =
        format!(r#"[{{"Config":"{config_name}","RepoTags":["coordd/{name}:{version}"],"Layers":["layer.tar"]}}]"#);
    fs::write(work.join("manifest.json"), manifest).tried(|| "write the manifest".to_owned())?;
    tar(archive, &work, &["manifest.json", &config_name, "layer.tar"])?;
    fs::remove_dir_all(&work).tried(|| format!("remove {}", work.display()))
}

fn tar(to: &Path, dir: &Path, names: &[&str]) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.args(["--format=ustar", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"]);
    tar.args(["--mode=u+rwX,go+rX,go-w", "-cf"]).arg(to).arg("-C").arg(dir).args(names);
    shell::run_quietly(&mut tar).map(drop)
}

fn sha256(file: &Path) -> Result<String> {
    let line = shell::run_quietly(Command::new("sha256sum").arg(file))?;
    let digest = line.split_whitespace().next().unwrap_or_default();
    Ok(digest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(archive: &Path, name: &str) -> Vec<u8> {
        let output = Command::new("tar").arg("-xOf").arg(archive).arg(name).output().unwrap();
        assert!(output.status.success(), "{name} is missing");
        output.stdout
    }

    #[test]
    fn an_image_names_its_layer_by_digest_and_is_the_same_each_time() {
        let dir = std::env::temp_dir().join(format!("e2e-image-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let (binary, archive) = (dir.join("built"), dir.join("thing.tar"));
        fs::write(&binary, b"program").unwrap();
        pack(&binary, &archive, "thing", "1.2.3").unwrap();
        let first = fs::read(&archive).unwrap();
        let manifest = String::from_utf8(read(&archive, "manifest.json")).unwrap();
        assert!(manifest.contains(r#""RepoTags":["coordd/thing:1.2.3"]"#), "{manifest}");
        let config_name = manifest.split('"').nth(3).unwrap();
        let config = String::from_utf8(read(&archive, config_name)).unwrap();
        let layer = dir.join("layer.tar");
        fs::write(&layer, read(&archive, "layer.tar")).unwrap();
        assert!(config.contains(&format!("sha256:{}", sha256(&layer).unwrap())), "{config}");
        assert_eq!(read(&layer, "thing"), b"program");
        pack(&binary, &archive, "thing", "1.2.3").unwrap();
        assert!(fs::read(&archive).unwrap() == first, "the second archive differs");
        fs::remove_dir_all(&dir).unwrap();
    }
}
