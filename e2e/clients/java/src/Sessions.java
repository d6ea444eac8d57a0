import java.util.List;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;

/** Sessions: negotiated, moved, taken up again after a member died with all their watches, expired. */
final class Sessions {
    @Case
    static void theTimeoutIsHeldWithinTheServersBounds(World t) throws Exception {
        World.equal(t.client(t.hosts, 600, event -> {}).getSessionTimeout(), 1000);
        World.equal(t.client(t.hosts, 5000, event -> {}).getSessionTimeout(), 5000);
        World.equal(t.client(t.hosts, 600_000, event -> {}).getSessionTimeout(), 60_000);
    }

    @Case
    static void aSessionAndAllItsWatchesOutliveTheMember(World t) throws Exception {
        ZooKeeper writer = t.rooted();
        List<String> states = Watches.log();
        ZooKeeper zk = t.client(t.hosts, 10_000, event -> states.add(event.getState().name()));
        long session = zk.getSessionId();
        for (String name : List.of("data", "children", "deleted", "persistent", "recursive")) {
            zk.create(t.root + "/" + name, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        }
        zk.create(t.root + "/mine", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        List<String> seen = Watches.log();
        zk.getData(t.root + "/data", Watches.into(seen, "w"), null);
        zk.getChildren(t.root + "/children", Watches.into(seen, "w"));
        zk.exists(t.root + "/later", Watches.into(seen, "w"));
        zk.exists(t.root + "/deleted", Watches.into(seen, "w"));
        zk.addWatch(t.root + "/persistent", Watches.into(seen, "w"), AddWatchMode.PERSISTENT);
        zk.addWatch(t.root + "/recursive", Watches.into(seen, "w"), AddWatchMode.PERSISTENT_RECURSIVE);
        states.clear();
        int port = t.killServerOf(zk);
        World.until("the loss", () -> states.contains(KeeperState.Disconnected.name()));
        change(writer, t.root);
        World.until("a new connection", () -> states.contains(KeeperState.SyncConnected.name()));
        World.equal(zk.getSessionId(), session);
        List<String> wanted = List.of("w NodeDataChanged " + t.root + "/data",
            "w NodeChildrenChanged " + t.root + "/children", "w NodeCreated " + t.root + "/later",
            "w NodeDeleted " + t.root + "/deleted");
        World.until("the events of what changed meanwhile: " + seen, () -> seen.containsAll(wanted));
        World.retry(() -> writer.create(t.root + "/recursive/x", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        World.retry(() -> writer.setData(t.root + "/persistent", null, -1));
        World.until("persistent watches: " + seen, () -> seen.contains("w NodeCreated " + t.root + "/recursive/x")
            && seen.contains("w NodeDataChanged " + t.root + "/persistent"));
        World.equal(World.retry(() -> zk.exists(t.root + "/mine", false)).getEphemeralOwner(), session);
        World.isTrue(!states.contains(KeeperState.Expired.name()), "the session expired");
        World.control("start " + port);
        zk.close();
        World.until("the ephemeral's end", () -> World.retry(() -> writer.exists(t.root + "/mine", false)) == null);
    }

    private static void change(ZooKeeper writer, String root) throws Exception {
        World.retry(() -> writer.setData(root + "/data", null, -1));
        World.retry(() -> writer.create(root + "/children/x", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        World.retry(() -> writer.create(root + "/later", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        World.retry(() -> {
            writer.delete(root + "/deleted", -1);
            return "deleted";
        });
    }

    @Case
    static void anExpiredSessionLosesItsEphemeralsAndIsTold(World t) throws Exception {
        ZooKeeper watcher = t.client(t.hosts, 20_000, event -> {});
        if (watcher.exists(t.root, false) == null) {
            watcher.create(t.root, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        }
        List<String> states = Watches.log();
        ZooKeeper zk = t.client(t.hosts, 1000, event -> states.add(event.getState().name()));
        zk.create(t.root + "/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        List<String> seen = Watches.log();
        World.sync(watcher);
        watcher.exists(t.root + "/e", Watches.into(seen, "w"));
        expire(t, zk);
        World.until("the end of the ephemeral", () -> seen.contains("w NodeDeleted " + t.root + "/e"));
        World.until("the word of expiry: " + states, () -> states.contains(KeeperState.Expired.name()));
        World.fails(Code.SESSIONEXPIRED, () -> zk.exists("/", false));
    }

    /**
     * Another client takes the session up and closes it: the surest way to end it under its owner. The owner, once cut
     * off, takes it back, and a close goes out only from the one that has it: so again, until the session is no more.
     */
    private static void expire(World t, ZooKeeper zk) throws Exception {
        for (boolean ended = false; !ended; ) {
            ZooKeeper twin = new ZooKeeper(t.hosts, 1000, event -> {}, zk.getSessionId(), zk.getSessionPasswd());
            World.until("an answer to the twin", () -> twin.getState().isConnected() || !twin.getState().isAlive());
            ended = !twin.getState().isAlive();
            twin.close();
        }
    }

    @Case
    static void aSessionThatIsNotHeardOfExpiresWithItsEphemerals(World t) throws Exception {
        ZooKeeper watcher = t.rooted();
        Doors doors = new Doors(t);
        List<String> states = Watches.log();
        ZooKeeper zk = t.client(doors.hosts, 1000, event -> states.add(event.getState().name()));
        zk.create(t.root + "/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        World.sync(watcher);
        List<String> seen = Watches.log();
        watcher.exists(t.root + "/e", Watches.into(seen, "w"));
        long began = System.nanoTime();
        doors.shut();
        World.until("the end of the ephemeral", () -> seen.contains("w NodeDeleted " + t.root + "/e"));
        long millis = (System.nanoTime() - began) / 1_000_000;
        World.isTrue(millis >= 500, "expired after " + millis + " ms, before its time");
        doors.open();
        World.until("the word of expiry: " + states, () -> states.contains(KeeperState.Expired.name()));
        World.fails(Code.SESSIONEXPIRED, () -> zk.exists("/", false));
        ZooKeeper again = t.client(doors.hosts, 1000, event -> {});
        again.create(t.root + "/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        World.isTrue(again.getSessionId() != zk.getSessionId(), "the old session goes on");
    }

    @Case
    static void aSessionIsTakenUpWithItsPasswordOnly(World t) throws Exception {
        ZooKeeper first = t.client(t.hosts, 8000, event -> {});
        List<String> states = Watches.log();
        ZooKeeper wrong = t.keep(new ZooKeeper(t.hosts, 8000, event -> states.add(event.getState().name()),
            first.getSessionId(), new byte[16]));
        World.until("the refusal", () -> states.contains(KeeperState.Expired.name()));
        World.isTrue(!wrong.getState().isAlive(), "a wrong password was accepted");
        ZooKeeper second = t.keep(new ZooKeeper(t.hosts, 8000, event -> {}, first.getSessionId(),
            first.getSessionPasswd()));
        World.until("the second client's connection", () -> second.getState().isConnected());
        World.equal(second.getSessionId(), first.getSessionId());
    }
}
