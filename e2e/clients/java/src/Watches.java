import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.WatcherType;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;

/** One-shot watches: what fires which, once, in order, before the reply that shows the change; and their removal. */
final class Watches {
    static List<String> log() {
        return Collections.synchronizedList(new ArrayList<>());
    }

    static Watcher into(List<String> log, String name) {
        return event -> log.add(name + " " + event.getType() + " " + event.getPath());
    }

    private static void make(ZooKeeper zk, String path) throws Exception {
        zk.create(path, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    }

    @Case
    static void eachKindFiresForItsChangeAndOnlyOnce(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        String a = t.root + "/a";
        List<String> seen = log();
        zk.exists(a, into(seen, "exists"));
        make(zk, a);
        zk.getData(a, into(seen, "data"), null);
        zk.getChildren(a, into(seen, "children"));
        make(zk, a + "/b");
        make(zk, a + "/c");
        zk.setData(a, null, -1);
        zk.setData(a, null, -1);
        zk.exists(a + "/b", into(seen, "exists"));
        zk.delete(a + "/b", -1);
        World.sync(zk);
        World.equal(seen, List.of("exists NodeCreated " + a, "children NodeChildrenChanged " + a,
            "data NodeDataChanged " + a, "exists NodeDeleted " + a + "/b"));
    }

    @Case
    static void aDeletionTellsDataChildAndParentWatchers(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        String a = t.root + "/a";
        make(zk, a);
        List<String> seen = log();
        zk.getData(a, into(seen, "data"), null);
        zk.exists(a, into(seen, "exists"));
        zk.getChildren(a, into(seen, "children"));
        zk.getChildren(t.root, into(seen, "parent"));
        zk.delete(a, -1);
        World.until("four events", () -> seen.size() == 4);
        World.equal(seen.stream().sorted().toList(), List.of("children NodeDeleted " + a, "data NodeDeleted " + a,
            "exists NodeDeleted " + a, "parent NodeChildrenChanged " + t.root));
    }

    @Case
    static void anEventComesBeforeTheReplyThatShowsIt(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        ZooKeeper writer = t.client();
        AtomicInteger early = new AtomicInteger();
        for (int i = 0; i < 200; i++) {
            AtomicInteger told = new AtomicInteger();
            int now = zk.getData(t.root, event -> told.incrementAndGet(), new org.apache.zookeeper.data.Stat()).length;
            writer.setData(t.root, new byte[now + 1], -1, (rc, path, ctx, stat) -> {}, null);
            AtomicInteger answered = new AtomicInteger();
            do {
                answered.set(0);
                zk.getData(t.root, false, (rc, path, ctx, data, stat) -> {
                    early.addAndGet(data.length > now && told.get() == 0 ? 1 : 0);
                    answered.set(data.length > now ? 2 : 1);
                }, null);
                World.until("the reply", () -> answered.get() > 0);
            } while (answered.get() == 1);
        }
        World.equal(early.get(), 0);
    }

    @Case
    static void oneWatcherSetTwiceIsToldOnce(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        List<String> seen = log();
        Watcher same = into(seen, "same");
        zk.getData(t.root, same, null);
        zk.exists(t.root, same);
        zk.getData(t.root, into(seen, "other"), null);
        zk.setData(t.root, null, -1);
        World.until("two events", () -> seen.size() >= 2);
        World.sync(zk);
        World.equal(seen.stream().sorted().toList(),
            List.of("other NodeDataChanged " + t.root, "same NodeDataChanged " + t.root));
    }

    @Case
    static void failedReadsLeaveNoWatchButExistsDoes(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        String a = t.root + "/a";
        List<String> seen = log();
        World.fails(Code.NONODE, () -> zk.getData(a, into(seen, "data"), null));
        World.fails(Code.NONODE, () -> zk.getChildren(a, into(seen, "children")));
        zk.exists(a, into(seen, "exists"));
        make(zk, a);
        World.until("the event", () -> !seen.isEmpty());
        World.sync(zk);
        World.equal(seen, List.of("exists NodeCreated " + a));
    }

    @Case
    static void aRemovedWatchIsSilentAndSaysSo(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        List<String> seen = log();
        Watcher data = into(seen, "data");
        Watcher children = into(seen, "children");
        zk.getData(t.root, data, null);
        zk.getChildren(t.root, children);
        World.fails(Code.NOWATCHER, () -> {
            zk.removeWatches(t.root, data, WatcherType.Children, false);
            return "removed";
        });
        zk.removeWatches(t.root, data, WatcherType.Data, false);
        World.until("the word of removal", () -> seen.size() == 1);
        zk.setData(t.root, null, -1);
        make(zk, t.root + "/c");
        World.until("the child event", () -> seen.size() == 2);
        World.equal(seen, List.of("data DataWatchRemoved " + t.root, "children NodeChildrenChanged " + t.root));
    }

    @Case
    static void removingOneOfTwoWatchersLeavesTheOther(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        List<String> seen = log();
        Watcher first = into(seen, "first");
        zk.exists(t.root, first);
        zk.exists(t.root, into(seen, "second"));
        zk.removeWatches(t.root, first, WatcherType.Any, false);
        zk.setData(t.root, null, -1);
        World.until("the second event", () -> seen.size() == 2);
        World.equal(seen.get(1), "second NodeDataChanged " + t.root);
    }
}
