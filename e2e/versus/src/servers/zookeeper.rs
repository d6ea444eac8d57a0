//! How a ZooKeeper 3.9.5 server is started: its jars through Maven, a `zoo.cfg`, one JVM.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{Launch, Plan, http, repository};

/// Names the jars; the server needs metrics and snappy although its own pom calls them optional, and jetty and jackson
/// for its admin server, which takes snapshots when told to.
const POM: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>coordd</groupId><artifactId>zookeeper-server</artifactId><version>1</version>
<dependencies>
<dependency><groupId>org.apache.zookeeper</groupId><artifactId>zookeeper</artifactId><version>3.9.5</version></dependency>
<dependency><groupId>io.dropwizard.metrics</groupId><artifactId>metrics-core</artifactId><version>4.1.12.1</version></dependency>
<dependency><groupId>org.xerial.snappy</groupId><artifactId>snappy-java</artifactId><version>1.1.10.5</version></dependency>
<dependency><groupId>org.eclipse.jetty</groupId><artifactId>jetty-servlet</artifactId>
<version>9.4.58.v20250814</version></dependency>
<dependency><groupId>com.fasterxml.jackson.core</groupId><artifactId>jackson-databind</artifactId>
<version>2.15.2</version></dependency>
</dependencies></project>
"#;

/// The folder with the jars, filled at the first call.
fn jars() -> Result<PathBuf> {
    let home = repository().join("target/tools/versus-zookeeper-3.9.5");
    let lib = home.join("lib");
    if !lib.join("zookeeper-3.9.5.jar").exists() || !lib.join("jetty-servlet-9.4.58.v20250814.jar").exists() {
        eprintln!("fetching ZooKeeper 3.9.5 with Maven");
        fs::create_dir_all(&home)?;
        fs::write(home.join("pom.xml"), POM)?;
        let status = Command::new("mvn")
            .args(["-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"])
            .current_dir(&home)
            .status()
            .context("run mvn (Debian package maven)")?;
        ensure!(status.success(), "mvn could not fetch the jars of ZooKeeper");
    }
    Ok(lib.canonicalize()?)
}

pub(super) fn launch(plan: &Plan, i: usize, dir: &Path) -> Result<Launch> {
    ensure!(!plan.proxied, "ZooKeeper listens where its peers dial: no proxy fits between");
    let lib = jars()?;
    let data = dir.join("data");
    fs::create_dir_all(&data)?;
    fs::write(data.join("myid"), format!("{}", i + 1))?;
    let config = dir.join("zoo.cfg");
    fs::write(&config, configuration(plan, i, &data.canonicalize()?))?;
    let args = [
        "-Xmx1g".to_owned(),
        "-Dzookeeper.extendedTypesEnabled=true".to_owned(),
        format!("-Dznode.container.checkIntervalMs={}", plan.reap_interval_ms),
        "-Dzookeeper.admin.serverAddress=127.0.0.1".to_owned(),
        format!("-Dzookeeper.admin.serverPort={}", plan.http_port(i)),
        // One snapshot a millisecond may be asked for; its own default, an interval of five minutes, is read as 0.3 s.
        "-Dzookeeper.admin.rateLimiterIntervalInMS=1000".to_owned(),
        "-Dzookeeper.DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=".to_owned(),
        "-cp".to_owned(),
        lib.join("*").display().to_string(),
        "org.apache.zookeeper.server.quorum.QuorumPeerMain".to_owned(),
        config.canonicalize()?.display().to_string(),
    ];
    Ok(Launch { program: "java".into(), args: args.into(), env: Vec::new() })
}

/// The super user may have one.
pub(super) fn snapshot(plan: &Plan, i: usize) -> Result<()> {
    http::drain(plan.http_port(i), "/commands/snapshot?streaming=true", "Authorization: digest super:test\r\n")
}

fn configuration(plan: &Plan, i: usize, data: &Path) -> String {
    let mut text = format!(
        "tickTime={}\ninitLimit=10\nsyncLimit=5\ndataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\n\
         maxClientCnxns=0\nminSessionTimeout=1000\nmaxSessionTimeout=120000\n4lw.commands.whitelist=*\n\
         standaloneEnabled=true\n",
        plan.tick_ms,
        data.display(),
        plan.client_port(i),
    );
    if plan.members > 1 {
        for to in 0..plan.members {
            let (peer, election) = (plan.peer_port(to), plan.port(20, to));
            text += &format!("server.{}=127.0.0.1:{peer}:{election}\n", to + 1);
        }
    }
    text
}
