import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.data.Stat;

/** Curator across members that die and sessions that expire: its state, its caches, its locks. */
final class CuratorMembers {
    @Case
    static void theConnectionIsSuspendedAndTakenUpAgainWithTheSession(World t) throws Exception {
        CuratorFramework client = t.curator(10_000);
        CuratorFramework writer = t.curator(10_000);
        writer.create().creatingParentsIfNeeded().forPath(t.root + "/a", World.bytes("1"));
        CuratorCache cache = t.keep(CuratorCache.build(client, t.root));
        cache.start();
        World.until("the cache", () -> cache.get(t.root + "/a").isPresent());
        List<String> states = Watches.log();
        client.getConnectionStateListenable().addListener((c, state) -> states.add(state.name()));
        long session = client.getZookeeperClient().getZooKeeper().getSessionId();
        int port = t.killServerOf(client.getZookeeperClient().getZooKeeper());
        writer.setData().forPath(t.root + "/a", World.bytes("2"));
        writer.create().forPath(t.root + "/b");
        World.until("reconnection: " + states, () -> states.contains(ConnectionState.RECONNECTED.name()));
        World.equal(client.getZookeeperClient().getZooKeeper().getSessionId(), session);
        World.isTrue(!states.contains(ConnectionState.LOST.name()), states.toString());
        World.until("the cache to catch up", () -> cache.get(t.root + "/b").isPresent()
            && cache.get(t.root + "/a").map(node -> World.text(node.getData())).orElse("").equals("2"));
        World.control("start " + port);
    }

    @Case
    static void locksAndLeadershipOutliveTheLeader(World t) throws Exception {
        CuratorFramework holder = t.curator(10_000);
        CuratorFramework other = t.curator(10_000);
        InterProcessMutex held = new InterProcessMutex(holder, t.root + "/lock");
        held.acquire();
        LeaderLatch latch = t.keep(new LeaderLatch(holder, t.root + "/latch", "holder"));
        latch.start();
        World.isTrue(latch.await(20, TimeUnit.SECONDS), "no leadership");
        String leader = World.control("leader");
        World.control("kill " + leader);
        World.control("start " + leader);
        World.until("the session", () -> holder.checkExists().forPath(t.root + "/lock") != null);
        World.isTrue(!new InterProcessMutex(other, t.root + "/lock").acquire(500, TimeUnit.MILLISECONDS),
            "two hold the lock");
        World.until("leadership again", latch::hasLeadership);
        held.release();
        World.isTrue(new InterProcessMutex(other, t.root + "/lock").acquire(10, TimeUnit.SECONDS), "not handed on");
    }

    @Case
    static void anExpiredSessionIsLostAndTheRecipesRecover(World t) throws Exception {
        Doors doors = new Doors(t);
        CuratorFramework client = t.curator(doors.hosts, 1000);
        CuratorFramework other = t.curator(10_000);
        List<String> states = Watches.log();
        client.getConnectionStateListenable().addListener((c, state) -> states.add(state.name()));
        PersistentNode node = t.keep(new PersistentNode(client, CreateMode.EPHEMERAL, false, t.root + "/node",
            new byte[0]));
        node.start();
        LeaderLatch latch = t.keep(new LeaderLatch(client, t.root + "/latch", "first"));
        LeaderLatch next = t.keep(new LeaderLatch(other, t.root + "/latch", "next"));
        latch.start();
        World.isTrue(latch.await(20, TimeUnit.SECONDS), "no leadership");
        next.start();
        new InterProcessMutex(client, t.root + "/lock").acquire();
        World.isTrue(node.waitForInitialCreate(20, TimeUnit.SECONDS), "no node");
        long session = client.getZookeeperClient().getZooKeeper().getSessionId();
        doors.shut();
        World.until("the loss: " + states, () -> states.contains(ConnectionState.LOST.name()));
        World.isTrue(!latch.hasLeadership(), "it believes that it leads without a session");
        World.until("the next leader", next::hasLeadership);
        World.isTrue(new InterProcessMutex(other, t.root + "/lock").acquire(10, TimeUnit.SECONDS), "the lock is held");
        World.until("the end of the node", () -> other.checkExists().forPath(t.root + "/node") == null);
        doors.open();
        World.until("a new session: " + states, () -> states.contains(ConnectionState.RECONNECTED.name()));
        long fresh = client.getZookeeperClient().getZooKeeper().getSessionId();
        World.isTrue(fresh != session, "the old session goes on");
        World.until("the node again", () -> {
            Stat stat = other.checkExists().forPath(t.root + "/node");
            return stat != null && stat.getEphemeralOwner() == fresh;
        });
        World.until("both in the list", () -> next.getParticipants().size() == 2);
        next.close();
        World.until("leadership again", latch::hasLeadership);
    }

    @Case
    static void writesGoOnWhileTheServerOfTheWriterDies(World t) throws Exception {
        CuratorFramework client = t.curator(10_000);
        CuratorFramework checker = t.curator(10_000);
        client.create().creatingParentsIfNeeded().forPath(t.root);
        AtomicInteger written = new AtomicInteger();
        AtomicBoolean stop = new AtomicBoolean();
        Thread thread = new Thread(() -> {
            while (!stop.get()) {
                try {
                    client.create().idempotent().forPath(t.root + "/" + written.get());
                    written.incrementAndGet();
                } catch (Exception e) {
                    return;
                }
            }
        });
        thread.start();
        World.until("the first writes", () -> written.get() > 20);
        int port = t.killServerOf(client.getZookeeperClient().getZooKeeper());
        int before = written.get();
        World.until("writes after the kill", () -> written.get() > before + 20);
        stop.set(true);
        thread.join(20_000);
        World.control("start " + port);
        checker.sync().forPath(t.root);
        int there = checker.getChildren().forPath(t.root).size();
        World.isTrue(there >= written.get(), "acknowledged " + written.get() + ", there are " + there);
    }
}
