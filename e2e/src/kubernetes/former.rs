//! A build of before: the images and the chart of a revision of this repository, beside those of the present.
//!
//! ```text
//!   REV ─► target/former/COMMIT (git worktree: its chart) ─► its own `cargo image` ─► coordd/{coordd,operator}:VERSION
//!                        in target/former/build                renamed: target/former/images/…  coordd/…:COMMIT ◄─┘
//! ```
//!
//! Rule: it is built as the revision says, in a build folder that no present build uses, and only the names of its
//! images are changed. Reason: in the present's folder it would replace the programs that run meanwhile, and on a node
//! an image of the same name would replace the present's. What it costs is that dependencies are compiled once more.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Result, Tried};
use crate::{image, place, shell};

/// What is taken of it; the clients that work in the cluster are always the present ones.
const IMAGES: [&str; 2] = ["coordd", "operator"];
/// So many digits of a commit are its name.
const DIGITS: &str = "--short=12";
/// By these Git, called from one of its hooks, would take another repository for the one it is told of.
const OF_A_HOOK: [&str; 3] = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"];

/// The build of a revision.
#[derive(Debug)]
pub(super) struct Former {
    pub(super) commit: String,
    pub(super) archives: Vec<PathBuf>,
}

/// Makes it, or what of it is missing; says where its images are.
pub(super) fn build(revision: &str) -> Result<Former> {
    let repository = place::repository();
    let folder = repository.join("target/former");
    let commit = commit(&repository, revision)?;
    let tree = folder.join(&commit);
    check_out(&repository, &commit, &tree)?;
    shell::run(&mut its_images(&tree, &folder.join("build")))?;
    let renamed = folder.join("images");
    fs::create_dir_all(&renamed).tried(|| format!("create {}", renamed.display()))?;
    let mut archives = Vec::new();
    for name in IMAGES {
        let (archive, image) = (renamed.join(format!("{name}-{commit}.tar")), format!("coordd/{name}:{commit}"));
        image::rename(&tree.join(format!("target/images/{name}.tar")), &archive, &image)?;
        println!("{} holds {image}", archive.display());
        archives.push(archive);
    }
    Ok(Former { commit, archives })
}

fn git(words: &[&str]) -> Command {
    let mut git = Command::new("git");
    for variable in OF_A_HOOK {
        git.env_remove(variable);
    }
    git.args(words);
    git
}

fn commit(repository: &Path, revision: &str) -> Result<String> {
    let mut git = git(&["rev-parse", "--verify", "--quiet", DIGITS, "--end-of-options"]);
    git.arg(format!("{revision}^{{commit}}")).current_dir(repository);
    let found = shell::run_quietly(&mut git);
    let found = found.map_err(|_| Failure::new(format!("{revision} is no revision that is known here (git log)")))?;
    Ok(found.trim().to_owned())
}

/// The sources of that commit in that folder, as they were committed.
fn check_out(repository: &Path, commit: &str, tree: &Path) -> Result<()> {
    // By its own `.git`: without one, Git would go up to the repository around it and reset that.
    let mut reset = git(&["--git-dir"]);
    reset.arg(tree.join(".git")).arg("--work-tree").arg(tree).args(["reset", "--hard", "--quiet", commit]);
    if shell::run_quietly(&mut reset).is_ok() {
        return Ok(());
    }
    let _absent = fs::remove_dir_all(tree);
    // Forced: who cleaned the build folder did not tell Git that the tree is gone.
    let mut add = git(&["worktree", "add", "--force", "--detach", "--quiet"]);
    shell::run_quietly(add.arg(tree).arg(commit).current_dir(repository)).map(drop)
}

/// `cargo image` of that tree.
fn its_images(tree: &Path, build: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.arg("image").current_dir(tree).env("CARGO_TARGET_DIR", build);
    // The toolchain is the one that the tree names.
    cargo.env_remove("RUSTUP_TOOLCHAIN");
    cargo
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::ffi::OsStr;

    use super::*;

    /// What became of a tree.
    type Deed = fn(&Path);

    /// A repository whose chart says `old` in its first commit and `new` in its second.
    fn repository(name: &str) -> PathBuf {
        let dir = env::temp_dir().join(format!("e2e-former-{name}-{}", std::process::id()));
        let _absent = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        let run = |words: &[&str]| {
            let who = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"];
            shell::run_quietly(git(&[&who, words].concat()).current_dir(&dir)).unwrap();
        };
        run(&["init", "--quiet"]);
        fs::write(dir.join(".gitignore"), "/target\n").unwrap();
        for text in ["old", "new"] {
            fs::write(dir.join("chart"), text).unwrap();
            run(&["add", "."]);
            run(&["commit", "--quiet", "-m", text]);
        }
        dir
    }

    #[test]
    fn a_revision_is_checked_out_beside_the_present_and_again_whatever_became_of_it() {
        let present = repository("tree");
        let old = commit(&present, "HEAD~1").unwrap();
        assert_eq!(old.len(), 12, "{old}");
        let tree = present.join("target/former").join(&old);
        let chart = |dir: &Path| fs::read_to_string(dir.join("chart")).unwrap();
        let deeds: [(&str, Deed); 5] = [
            ("it is the first time", |_| {}),
            ("it is there", |_| {}),
            ("a file of it was changed", |tree| fs::write(tree.join("chart"), "mine").unwrap()),
            ("it was cleaned away", |tree| fs::remove_dir_all(tree).unwrap()),
            ("it is no worktree", |tree| fs::remove_file(tree.join(".git")).unwrap()),
        ];
        for (what, deed) in deeds {
            deed(&tree);
            fs::write(present.join("chart"), "at work").unwrap();
            check_out(&present, &old, &tree).unwrap();
            assert_eq!((chart(&tree).as_str(), chart(&present).as_str()), ("old", "at work"), "{what}");
        }
        fs::remove_dir_all(&present).unwrap();
    }

    #[test]
    fn a_revision_that_is_none_is_named_and_is_no_option_of_git() {
        let present = repository("none");
        for revision in ["no-such", "--help", "HEAD:chart"] {
            let why = commit(&present, revision).unwrap_err().to_string();
            assert!(why.starts_with(revision) && why.contains("no revision"), "{why}");
        }
        fs::remove_dir_all(&present).unwrap();
    }

    #[test]
    fn it_is_built_by_its_own_recipe_in_a_folder_of_its_own() {
        let cargo = its_images(Path::new("/former/abc"), Path::new("/former/build"));
        assert_eq!(shell::line(&cargo), "cargo image");
        assert_eq!(cargo.get_current_dir(), Some(Path::new("/former/abc")));
        let set: Vec<_> = cargo.get_envs().collect();
        assert!(set.contains(&(OsStr::new("CARGO_TARGET_DIR"), Some(OsStr::new("/former/build")))), "{set:?}");
        assert!(set.contains(&(OsStr::new("RUSTUP_TOOLCHAIN"), None)), "{set:?}");
    }
}
