//! `cargo image`: container images as docker archives, made without a container engine.
//!
//! ```text
//!   static binary ──► layer.tar (one file, /coordd) ──► config (its digest) ──► manifest ──► target/images/coordd.tar
//! ```
//!
//! Rule: the same sources give the same bytes: names sorted, times zero, owner zero. Reason: an image is compared by
//! its digest, and a node that has it must not fetch it again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Result, Tried};
use crate::shipped::{self, ARCHITECTURE};
use crate::{place, shell};

/// Who runs it in a container, unless the pod says otherwise.
const USER: &str = "65532:65532";

pub(crate) fn command(args: &[String]) -> Result<()> {
    if !args.is_empty() {
        return Err(Failure::new("usage: cargo image"));
    }
    make().map(drop)
}

/// The images of the programs; where the archives are.
pub(crate) fn make() -> Result<Vec<PathBuf>> {
    let programs = shipped::programs()?;
    let mut archives = Vec::new();
    for (package, name) in shipped::packages()? {
        let archive = place::repository().join(format!("target/images/{name}.tar"));
        let image = format!("coordd/{name}:{}", env!("CARGO_PKG_VERSION"));
        let built = programs.join(package);
        // Names stay for the sake of backtraces; line tables would make it four times as large.
        let small = built.with_extension("small");
        shell::run_quietly(Command::new("strip").args(["--strip-debug", "-o"]).arg(&small).arg(&built))?;
        pack(&small, &archive, &image)?;
        println!("{} holds {image}", archive.display());
        archives.push(archive);
    }
    Ok(archives)
}

/// Writes an image whose only file and entry point is the program.
pub(crate) fn pack(binary: &Path, archive: &Path, image: &str) -> Result<()> {
    let name = image.rsplit('/').next().and_then(|last| last.split(':').next()).unwrap_or(image);
    let root = archive.with_extension("root");
    let _absent = fs::remove_dir_all(&root);
    fs::create_dir_all(&root).tried(|| format!("create {}", root.display()))?;
    fs::copy(binary, root.join(name)).tried(|| format!("copy {}", binary.display()))?;
    pack_tree(&root, &format!(r#""Entrypoint":["/{name}"]"#), archive, image)?;
    fs::remove_dir_all(&root).tried(|| format!("remove {}", root.display()))
}

/// Writes an image of all that is in `root`; `runs` is what its configuration says of how it runs, but for the user.
pub(crate) fn pack_tree(root: &Path, runs: &str, archive: &Path, image: &str) -> Result<()> {
    let work = archive.with_extension("work");
    let _absent = fs::remove_dir_all(&work);
    fs::create_dir_all(&work).tried(|| format!("create {}", work.display()))?;
    let layer = work.join("layer.tar");
    tar_all(&layer, root)?;
    let diff = sha256(&layer)?;
    let rootfs = format!(r#"{{"type":"layers","diff_ids":["sha256:{diff}"]}}"#);
    let run = format!(r#"{{"User":"{USER}",{runs}}}"#);
    let config = format!(r#"{{"architecture":"{ARCHITECTURE}","os":"linux","config":{run},"rootfs":{rootfs}}}"#);
    let config_file = work.join("config.json");
    fs::write(&config_file, config).tried(|| format!("write {}", config_file.display()))?;
    let config_name = format!("{}.json", sha256(&config_file)?);
    fs::rename(&config_file, work.join(&config_name)).tried(|| "name the configuration".to_owned())?;
    let manifest = format!(r#"[{{"Config":"{config_name}","RepoTags":["{image}"],"Layers":["layer.tar"]}}]"#);
    fs::write(work.join("manifest.json"), manifest).tried(|| "write the manifest".to_owned())?;
    tar(archive, &work, &["manifest.json", &config_name, "layer.tar"])?;
    fs::remove_dir_all(&work).tried(|| format!("remove {}", work.display()))
}

/// Writes an image again under another name.
pub(crate) fn rename(archive: &Path, renamed: &Path, image: &str) -> Result<()> {
    let work = renamed.with_extension("work");
    let _absent = fs::remove_dir_all(&work);
    fs::create_dir_all(&work).tried(|| format!("create {}", work.display()))?;
    shell::run_quietly(Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(&work))?;
    let manifest = work.join("manifest.json");
    let text = fs::read_to_string(&manifest).tried(|| format!("read the manifest of {}", archive.display()))?;
    let named = with_name(&text, image).ok_or_else(|| Failure::new(format!("{} has no name", archive.display())))?;
    fs::write(&manifest, named).tried(|| "write the manifest".to_owned())?;
    tar_all(renamed, &work)?;
    fs::remove_dir_all(&work).tried(|| format!("remove {}", work.display()))
}

/// A manifest with this name in place of those that it has.
fn with_name(manifest: &str, image: &str) -> Option<String> {
    let (before, rest) = manifest.split_once(r#""RepoTags":["#)?;
    let (_, after) = rest.split_once(']')?;
    Some(format!(r#"{before}"RepoTags":["{image}"]{after}"#))
}

/// All that is in a folder.
fn tar_all(to: &Path, dir: &Path) -> Result<()> {
    let entries = fs::read_dir(dir).tried(|| format!("read {}", dir.display()))?;
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    tar(to, dir, &names.iter().map(String::as_str).collect::<Vec<_>>())
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
    fn an_image_names_its_layer_by_digest_is_the_same_each_time_and_may_have_another_name() {
        let dir = std::env::temp_dir().join(format!("e2e-image-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let (binary, archive) = (dir.join("built"), dir.join("thing.tar"));
        fs::write(&binary, b"program").unwrap();
        pack(&binary, &archive, "coordd/thing:1.2.3").unwrap();
        let first = fs::read(&archive).unwrap();
        let manifest = String::from_utf8(read(&archive, "manifest.json")).unwrap();
        assert!(manifest.contains(r#""RepoTags":["coordd/thing:1.2.3"]"#), "{manifest}");
        let config_name = manifest.split('"').nth(3).unwrap();
        let config = String::from_utf8(read(&archive, config_name)).unwrap();
        let layer = dir.join("layer.tar");
        fs::write(&layer, read(&archive, "layer.tar")).unwrap();
        assert!(config.contains(&format!("sha256:{}", sha256(&layer).unwrap())), "{config}");
        assert_eq!(read(&layer, "thing"), b"program");
        pack(&binary, &archive, "coordd/thing:1.2.3").unwrap();
        assert!(fs::read(&archive).unwrap() == first, "the second archive differs");
        let other = dir.join("other.tar");
        rename(&archive, &other, "coordd/thing:0123abc").unwrap();
        let renamed = String::from_utf8(read(&other, "manifest.json")).unwrap();
        assert_eq!(renamed, manifest.replace("coordd/thing:1.2.3", "coordd/thing:0123abc"), "the name alone differs");
        assert!(
            read(&other, config_name) == config.as_bytes() && read(&other, "layer.tar") == fs::read(&layer).unwrap()
        );
        fs::remove_dir_all(&dir).unwrap();
    }
}
