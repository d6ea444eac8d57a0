import java.util.List;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.WatcherType;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;

/** addWatch in both modes: every event, again and again, until it is removed. */
final class PersistentWatches {
    private static void make(ZooKeeper zk, String path) throws Exception {
        zk.create(path, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    }

    @Case
    static void aPersistentWatchSeesDataAndChildrenOfItsNodeAgainAndAgain(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        String a = t.root + "/a";
        List<String> seen = Watches.log();
        zk.addWatch(a, Watches.into(seen, "p"), AddWatchMode.PERSISTENT);
        make(zk, a);
        zk.setData(a, null, -1);
        make(zk, a + "/b");
        make(zk, a + "/b/deep");
        zk.setData(a, null, -1);
        zk.delete(a + "/b/deep", -1);
        zk.delete(a + "/b", -1);
        zk.delete(a, -1);
        make(zk, a);
        World.until("the last event", () -> seen.size() >= 7);
        World.sync(zk);
        World.equal(seen, List.of("p NodeCreated " + a, "p NodeDataChanged " + a, "p NodeChildrenChanged " + a,
            "p NodeDataChanged " + a, "p NodeChildrenChanged " + a, "p NodeDeleted " + a, "p NodeCreated " + a));
    }

    @Case
    static void aRecursiveWatchSeesAllBelowAndNoChildEvents(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        String a = t.root + "/a";
        List<String> seen = Watches.log();
        zk.addWatch(t.root, Watches.into(seen, "r"), AddWatchMode.PERSISTENT_RECURSIVE);
        make(zk, a);
        make(zk, a + "/b");
        zk.setData(a + "/b", null, -1);
        zk.delete(a + "/b", -1);
        zk.setData(t.root, null, -1);
        zk.multi(List.of(Op.setData(a, null, -1), Op.delete(a, -1)));
        World.until("the last event", () -> seen.size() >= 7);
        World.sync(zk);
        World.equal(seen, List.of("r NodeCreated " + a, "r NodeCreated " + a + "/b", "r NodeDataChanged " + a + "/b",
            "r NodeDeleted " + a + "/b", "r NodeDataChanged " + t.root, "r NodeDataChanged " + a,
            "r NodeDeleted " + a));
    }

    @Case
    static void aRecursiveWatchOnTheRootSeesTheWholeTree(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        List<String> seen = Watches.log();
        zk.addWatch("/", Watches.into(seen, "r"), AddWatchMode.PERSISTENT_RECURSIVE);
        make(zk, t.root + "/x");
        World.until("the event", () -> seen.contains("r NodeCreated " + t.root + "/x"));
        zk.removeAllWatches("/", WatcherType.Any, false);
        World.until("the word of removal", () -> seen.contains("r PersistentWatchRemoved /"));
    }

    @Case
    static void aOneShotWatchBesideAPersistentOneDoublesNothing(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        List<String> seen = Watches.log();
        Watcher watcher = Watches.into(seen, "w");
        zk.addWatch(t.root, watcher, AddWatchMode.PERSISTENT);
        zk.getData(t.root, watcher, null);
        zk.setData(t.root, null, -1);
        zk.setData(t.root, null, -1);
        World.until("two events", () -> seen.size() >= 2);
        World.sync(zk);
        World.equal(seen, List.of("w NodeDataChanged " + t.root, "w NodeDataChanged " + t.root));
    }

    @Case
    static void aRemovedPersistentWatchIsSilent(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        List<String> seen = Watches.log();
        Watcher watcher = Watches.into(seen, "p");
        zk.addWatch(t.root, watcher, AddWatchMode.PERSISTENT);
        zk.setData(t.root, null, -1);
        zk.removeWatches(t.root, watcher, WatcherType.Any, false);
        World.until("both events", () -> seen.size() == 2);
        zk.setData(t.root, null, -1);
        World.sync(zk);
        World.equal(seen, List.of("p NodeDataChanged " + t.root, "p PersistentWatchRemoved " + t.root));
    }

    @Case
    static void twoKindsOfPersistentWatchesOfTwoClientsLiveSideBySide(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        ZooKeeper other = t.client();
        List<String> seen = Watches.log();
        List<String> others = Watches.log();
        zk.addWatch(t.root, Watches.into(seen, "p"), AddWatchMode.PERSISTENT);
        other.addWatch(t.root, Watches.into(others, "r"), AddWatchMode.PERSISTENT_RECURSIVE);
        make(zk, t.root + "/x");
        World.until("both", () -> seen.size() == 1 && others.size() == 1);
        World.equal(seen, List.of("p NodeChildrenChanged " + t.root));
        World.equal(others, List.of("r NodeCreated " + t.root + "/x"));
    }

    @Case
    static void whoMayNotReadIsNotTold(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        ZooKeeper outsider = t.client();
        zk.addAuthInfo("digest", World.bytes("u:p"));
        List<ACL> mine = World.acls(new ACL(Perms.ALL, new Id("auth", "")));
        List<String> seen = Watches.log();
        List<String> mineSeen = Watches.log();
        outsider.addWatch(t.root, Watches.into(seen, "r"), AddWatchMode.PERSISTENT_RECURSIVE);
        zk.addWatch(t.root, Watches.into(mineSeen, "r"), AddWatchMode.PERSISTENT_RECURSIVE);
        zk.create(t.root + "/secret", null, mine, CreateMode.PERSISTENT);
        zk.setData(t.root + "/secret", null, -1);
        make(zk, t.root + "/open");
        World.until("the open event", () -> seen.contains("r NodeCreated " + t.root + "/open"));
        World.until("all of mine", () -> mineSeen.size() == 3);
        World.equal(seen, List.of("r NodeCreated " + t.root + "/open"));
    }
}
