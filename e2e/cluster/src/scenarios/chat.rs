//! The worked example of discovery, as its README says, in a cluster: e2e/examples/chat.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Play, Scenario};
use crate::ensemble::{Ensemble, NAME};
use crate::scene::{PATIENCE, Scene, until};
use crate::tree::Tree;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "chat",
    about: "the example in e2e/examples/chat: users are spread, move when a server dies; one janitor; live settings",
    short: false,
    play: Play::Anywhere(play),
};

const README: &str = include_str!("../../../examples/chat/README.md");
/// What the manifest has from a registry, which a cluster of this machine does not reach.
const IMAGE: &str = "python:3.13-slim";
const PROGRAMS: [&str; 5] = ["follow.py", "ring.py", "web.py", "server.py", "gateway.py"];
const PORT: u16 = 9000;
const USERS: usize = 30;
/// What a pod has to end in: less than the half minute after which Kubernetes kills one that does not.
const END: Duration = Duration::from_secs(20);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/chat")
}

/// The manifest for a cluster of that name, as README.md's command makes it.
fn manifest(cluster: &str) -> Result<String> {
    let command = README.split_once("sed \"").and_then(|(_, rest)| rest.split_once("\" kubernetes.yaml"));
    let (expression, _) = command.context("README.md makes no manifest by sed")?;
    let mut sed = Command::new("sed");
    let made = sed.arg(expression.replace("NAME", cluster)).arg(folder().join("kubernetes.yaml")).output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Ok(String::from_utf8(made.stdout)?)
}

fn play(scene: &Scene) -> Result<()> {
    let ensemble = Ensemble::ready(scene, &json!({}))?;
    let tree = Tree::of(&ensemble)?;
    let files = PROGRAMS.map(|program| format!("--from-file={}", folder().join(program).display()));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    scene.kubectl(&[&["create", "configmap", "chat-code"], files.as_slice()].concat())?;
    let manifest = manifest(NAME)?;
    ensure!(manifest.contains(IMAGE), "the manifest has another image than {IMAGE}");
    scene.apply(&manifest.replace(IMAGE, "coordd/runtimes:@VERSION@"), &[])?;
    scene.wait("deployment/chat", "condition=Available", PATIENCE)?;
    let chat = Chat { scene };
    until("three servers are live, and one is the janitor", PATIENCE, || {
        let who = chat.who()?;
        ensure!(who.loads.len() == 3 && who.janitor.is_some(), "{who:?}");
        Ok(())
    })?;
    a_server_ends(&chat)?;
    settings_are_live(&chat, &tree)?;
    the_janitor_dies(&chat, &tree)
}

struct Chat<'a> {
    scene: &'a Scene,
}

/// What `/who` answers.
#[derive(Debug)]
struct Who {
    loads: BTreeMap<String, Value>,
    users: BTreeMap<String, Value>,
    janitor: Option<String>,
}

impl Chat<'_> {
    fn get(&self, path: &str) -> Result<Value> {
        let pods = self.scene.json(&["get", "pods", "--selector=app=chat"])?;
        let name = pods.pointer("/items/0/metadata/name").and_then(Value::as_str).context("a gateway")?;
        Ok(serde_json::from_str(&self.scene.plain_http(name, PORT, path)?)?)
    }

    fn say(&self, user: &str, text: &str) -> Result<()> {
        self.get(&format!("say?sender=ann&user={user}&text={text}")).map(drop)
    }

    fn inbox(&self, user: &str) -> Result<Value> {
        self.get(&format!("inbox?user={user}"))
    }

    fn who(&self) -> Result<Who> {
        let answer = self.get("who")?;
        let map = |field: &str| answer[field].as_object().cloned().unwrap_or_default().into_iter().collect();
        let janitor = answer["janitor"].as_str().map(str::to_owned);
        Ok(Who { loads: map("loads"), users: map("users"), janitor })
    }

    /// Lets a pod end as README.md says, which it does by itself.
    fn end(&self, pod: &str) -> Result<()> {
        let began = Instant::now();
        self.scene.kubectl(&["delete", "pod", pod])?;
        ensure!(began.elapsed() < END, "{pod} took {:?} to end", began.elapsed());
        Ok(())
    }

    fn kill(&self, pod: &str) -> Result<()> {
        self.scene.kubectl(&["delete", "pod", pod, "--grace-period=0", "--force"]).map(drop)
    }
}

/// Its users move to others, and nobody else does until its successor is there.
fn a_server_ends(chat: &Chat<'_>) -> Result<()> {
    let users: Vec<String> = (0..USERS).map(|number| format!("user-{number}")).collect();
    for user in &users {
        chat.say(user, "hi")?;
        ensure!(chat.inbox(user)? == json!([format!("Welcome, {user}"), "ann: hi"]), "{}", chat.inbox(user)?);
    }
    let before = chat.who()?;
    let homes: BTreeSet<String> = before.users.values().map(Value::to_string).collect();
    ensure!(homes.len() == 3, "the users are at {homes:?}");
    let dead = before.loads.keys().next().context("a server")?;
    let (orphan, _) = before.users.iter().find(|(_, home)| *home == dead).context("a user of that server")?;
    chat.end(dead)?;
    until("its session has ended", PATIENCE, || {
        let now = chat.who()?;
        ensure!(!now.loads.contains_key(dead), "{now:?}");
        Ok(())
    })?;
    chat.say(orphan, "there")?;
    ensure!(chat.inbox(orphan)? == json!([format!("Welcome, {orphan}"), "ann: there"]), "{}", chat.inbox(orphan)?);
    until("its users have moved, and it has a successor", PATIENCE, || {
        let now = chat.who()?;
        ensure!(!now.users.values().any(|home| home == dead) && now.loads.len() == 3, "{now:?}");
        Ok(())
    })
}

fn settings_are_live(chat: &Chat<'_>, tree: &Tree<'_>) -> Result<()> {
    tree.make(&[("/chat/config", ""), ("/chat/config/greeting", "Ahoy")])?;
    until("a new user is greeted so", PATIENCE, || {
        let user = format!("guest-{}", chat.who()?.users.len());
        let inbox = chat.inbox(&user)?;
        ensure!(inbox == json!([format!("Ahoy, {user}")]), "{inbox}");
        Ok(())
    })
}

fn the_janitor_dies(chat: &Chat<'_>, tree: &Tree<'_>) -> Result<()> {
    tree.make(&[("/chat/config/sweep_seconds", "1"), ("/chat/config/keep_seconds", "0")])?;
    let swept = |what: &str| {
        chat.say("zoe", "dust")?;
        until(what, PATIENCE, || {
            let inbox = chat.inbox("zoe")?;
            ensure!(inbox == json!([]), "{inbox}");
            Ok(())
        })
    };
    swept("the janitor sweeps")?;
    let first = chat.who()?.janitor.context("a janitor")?;
    chat.kill(&first)?;
    until("another is the janitor", PATIENCE, || {
        let now = chat.who()?.janitor.context("nobody")?;
        ensure!(now != first, "it is still {first}");
        Ok(())
    })?;
    swept("the next janitor sweeps")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_of_the_readme_names_the_cluster_wherever_the_manifest_needs_it() {
        let made = manifest("minimal").unwrap();
        assert_eq!((made.matches("CLUSTER").count(), made.matches("minimal:8080").count()), (0, 2));
    }
}
