import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;

/** ZooKeeper's own shell, started as a process of its own as `zkCli.sh` does, its commands on standard input. */
final class Shell {
    private static String zkCli(World t, String... commands) throws Exception {
        List<String> line = new ArrayList<>(List.of(System.getProperty("java.home") + "/bin/java", "-XX:TieredStopAtLevel=1",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-cp", System.getProperty("java.class.path"),
            "org.apache.zookeeper.ZooKeeperMain", "-server", t.hosts));
        if (commands.length == 1) {
            line.addAll(List.of(commands[0].split(" ")));
        }
        Process process = new ProcessBuilder(line).redirectErrorStream(true).start();
        if (commands.length > 1) {
            process.getOutputStream().write((String.join("\n", commands) + "\nquit\n").getBytes());
        }
        process.getOutputStream().close();
        try (BufferedReader out = new BufferedReader(new InputStreamReader(process.getInputStream()))) {
            String text = out.lines().collect(Collectors.joining("\n"));
            process.waitFor();
            return "exit " + process.exitValue() + "\n" + text;
        }
    }

    private static void contains(String text, String... parts) {
        for (String part : parts) {
            World.isTrue(text.contains(part), "`" + part + "` is missing in: " + text);
        }
    }

    @Case
    static void theShellReadsAndWritesOneShot(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        zk.create(t.root + "/a", World.bytes("hello"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        contains(zkCli(t, "get -s " + t.root + "/a"), "exit 0", "hello", "dataVersion = 0", "dataLength = 5");
        contains(zkCli(t, "ls " + t.root + "/none"), "exit 1", "Node does not exist: " + t.root + "/none");
    }

    @Case
    static void theShellKnowsEveryVerb(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        String r = t.root;
        String text = zkCli(t, "create " + r + "/a one", "create -s " + r + "/a/s- x", "create -e " + r + "/e",
            "create -c " + r + "/box", "create -t 60000 " + r + "/ttl", "set -v 0 " + r + "/a two",
            "set -v 0 " + r + "/a three", "ls -R " + r, "stat " + r + "/a", "getEphemerals " + r,
            "getAllChildrenNumber " + r, "addauth digest u:p", "whoami", "setAcl " + r + "/a auth::cdrwa",
            "getAcl " + r + "/a", "setquota -n 100 " + r + "/a", "listquota " + r + "/a", "delquota " + r + "/a",
            "sync " + r, "config", "version", "delete " + r + "/none", "delete " + r + "/a", "deleteall " + r + "/a");
        contains(text, "Created " + r + "/a", "Created " + r + "/a/s-0000000000", "Created " + r + "/e",
            "Created " + r + "/box", "Created " + r + "/ttl", "version No is not valid : " + r + "/a",
            "dataVersion = 1", "[" + r + "/e]", "digest: u", "'digest,'u:", "count=100", "Sync is OK",
            "ZooKeeper CLI version", "Node does not exist: " + r + "/none", "Node not empty: " + r + "/a");
        World.equal(zk.exists(r + "/a", false), null);
        World.until("the shell's ephemeral is gone", () -> zk.exists(r + "/e", false) == null);
    }
}
