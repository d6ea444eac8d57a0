//! How a ZooKeeper 3.9 server is started: its jars through Maven, a `zoo.cfg`, one JVM.

use std::fs;
use std::process::Command;

use super::{Plan, REAP_INTERVAL_MS, SUPER_DIGEST, TICK_MS};
use crate::failure::{Result, Tried};
use crate::tools;

pub(super) fn launch(plan: &Plan, i: u16) -> Result<Command> {
    let dir = plan.member_dir(i);
    let data = dir.join("data");
    fs::create_dir_all(&data).tried(|| format!("create {}", data.display()))?;
    let id = data.join("myid");
    fs::write(&id, (i + 1).to_string()).tried(|| format!("write {}", id.display()))?;
    let config = dir.join("zoo.cfg");
    fs::write(&config, configuration(plan, i)).tried(|| format!("write {}", config.display()))?;
    let mut java = Command::new("java");
    java.args(["-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dzookeeper.admin.enableServer=false"]);
    java.args(["-Dzookeeper.extendedTypesEnabled=true", "-Dzookeeper.enforceQuota=true"]);
    java.arg(format!("-Dznode.container.checkIntervalMs={REAP_INTERVAL_MS}"));
    java.arg(format!("-Dzookeeper.DigestAuthenticationProvider.superDigest={SUPER_DIGEST}"));
    java.arg("-cp").arg(tools::jars()?.join("*"));
    java.arg("org.apache.zookeeper.server.quorum.QuorumPeerMain").arg(config);
    Ok(java)
}

fn configuration(plan: &Plan, i: u16) -> String {
    let data = plan.member_dir(i).join("data");
    let mut text = format!(
        "tickTime={TICK_MS}\ninitLimit=20\nsyncLimit=10\ndataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\n\
         maxClientCnxns=0\nminSessionTimeout=1000\nmaxSessionTimeout=60000\n4lw.commands.whitelist=*\n",
        data.display(),
        plan.client_port(i),
    );
    if plan.members > 1 {
        for to in 0..plan.members {
            let (peer, election) = (plan.base_port + 10 + to, plan.base_port + 20 + to);
            text += &format!("server.{}=127.0.0.1:{peer}:{election};127.0.0.1:{}\n", to + 1, plan.client_port(to));
        }
        let own = format!("clientPort={}\nclientPortAddress=127.0.0.1\n", plan.client_port(i));
        text = text.replace(&own, "");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::Kind;

    fn plan(members: u16) -> Plan {
        Plan { kind: Kind::ZooKeeper, members, dir: "/d".into(), base_port: 5000 }
    }

    #[test]
    fn a_lone_server_names_its_port_and_no_peers() {
        let text = configuration(&plan(1), 0);
        assert!(text.contains("clientPort=5000\n") && !text.contains("server."), "{text}");
    }

    #[test]
    fn a_member_of_three_names_all_three_with_their_client_ports() {
        let text = configuration(&plan(3), 1);
        assert!(text.contains("server.3=127.0.0.1:5012:5022;127.0.0.1:5002\n"), "{text}");
        assert!(!text.contains("clientPort="), "{text}");
    }
}
