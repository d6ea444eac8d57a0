import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/** The plain operations of the Java client, synchronous and asynchronous, with every field of Stat. */
final class Operations {
    @Case
    static void createAndCreate2TellPathAndStat(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        String plain = zk.create(t.root + "/a", World.bytes("x"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        World.equal(plain, t.root + "/a");
        Stat stat = new Stat();
        String path = zk.create(t.root + "/b", World.bytes("xyz"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, stat);
        World.equal(path, t.root + "/b");
        World.equal(stat, zk.exists(path, false));
        World.equal(stat.getCzxid(), stat.getMzxid());
        World.equal(stat.getCzxid(), stat.getPzxid());
        World.equal(stat.getCtime(), stat.getMtime());
        World.equal(List.of(stat.getVersion(), stat.getCversion(), stat.getAversion()), List.of(0, 0, 0));
        World.equal(List.of(stat.getDataLength(), stat.getNumChildren()), List.of(3, 0));
        World.equal(stat.getEphemeralOwner(), 0L);
    }

    @Case
    static void everyChangeMovesItsOwnPartOfTheStat(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        String path = zk.create(t.root + "/a", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Stat before = zk.exists(path, false);
        Stat set = zk.setData(path, World.bytes("12345"), 0);
        World.equal(List.of(set.getVersion(), set.getDataLength()), List.of(1, 5));
        World.isTrue(set.getMzxid() > before.getMzxid() && set.getCzxid() == before.getCzxid(), set.toString());
        World.equal(set.getPzxid(), before.getPzxid());
        zk.create(path + "/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Stat grown = zk.exists(path, false);
        World.equal(List.of(grown.getCversion(), grown.getNumChildren(), grown.getVersion()), List.of(1, 1, 1));
        World.isTrue(grown.getPzxid() > set.getMzxid() && grown.getMzxid() == set.getMzxid(), grown.toString());
        zk.delete(path + "/c", 0);
        Stat shrunk = zk.exists(path, false);
        World.equal(List.of(shrunk.getCversion(), shrunk.getNumChildren()), List.of(2, 0));
        World.isTrue(shrunk.getPzxid() > grown.getPzxid(), "a deleted child moves pzxid");
        Stat acl = zk.setACL(path, Ids.OPEN_ACL_UNSAFE, 0);
        World.equal(List.of(acl.getAversion(), acl.getVersion()), List.of(1, 1));
        World.equal(acl.getMzxid(), set.getMzxid());
    }

    @Case
    static void nullAndEmptyDataStayWhatTheyAre(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        zk.create(t.root + "/null", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create(t.root + "/empty", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Stat stat = new Stat();
        World.equal(zk.getData(t.root + "/null", false, stat), null);
        World.equal(stat.getDataLength(), 0);
        World.equal(zk.getData(t.root + "/empty", false, stat).length, 0);
        zk.setData(t.root + "/empty", null, -1);
        World.equal(zk.getData(t.root + "/empty", false, stat), null);
    }

    @Case
    static void childrenAreListedWithTheParentsStat(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        for (String name : List.of("b", "a", "c")) {
            zk.create(t.root + "/" + name, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        }
        Stat stat = new Stat();
        List<String> names = zk.getChildren(t.root, false, stat);
        Collections.sort(names);
        World.equal(names, List.of("a", "b", "c"));
        World.equal(stat, zk.exists(t.root, false));
        zk.create(t.root + "/a/deep", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        World.equal(zk.getAllChildrenNumber(t.root), 4);
        World.equal(zk.getAllChildrenNumber(t.root + "/b"), 0);
    }

    @Case
    static void ephemeralsAreListedByTheirOwnerAndPrefix(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        ZooKeeper other = t.client();
        for (String name : List.of("x1", "x2", "y1")) {
            zk.create(t.root + "/" + name, null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        }
        other.create(t.root + "/x3", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        List<String> mine = zk.getEphemerals(t.root + "/x");
        Collections.sort(mine);
        World.equal(mine, List.of(t.root + "/x1", t.root + "/x2"));
        World.equal(zk.getEphemerals().size(), 3);
        World.equal(zk.exists(t.root + "/x1", false).getEphemeralOwner(), zk.getSessionId());
    }

    @Case
    static void sequenceNumbersFollowTheParentsChildChanges(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        List<String> names = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            names.add(zk.create(t.root + "/s-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL));
        }
        zk.delete(names.get(2), 0);
        names.add(zk.create(t.root + "/", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL));
        List<String> wanted = List.of("/s-0000000000", "/s-0000000001", "/s-0000000002", "/0000000003");
        World.equal(names, wanted.stream().map(name -> t.root + name).toList());
    }

    @Case
    static void asynchronousCallsAreAnsweredInOrderWithTheirContext(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        int count = 300;
        List<Object> order = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch done = new CountDownLatch(count * 3);
        for (int i = 0; i < count; i++) {
            String path = t.root + "/n" + i;
            zk.create(path, World.bytes("" + i), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, (rc, p, ctx, name) -> {
                order.add(rc == 0 && p.equals(name) ? ctx : "rc " + rc);
                done.countDown();
            }, i * 3);
            zk.getData(path, false, (rc, p, ctx, data, stat) -> {
                order.add(rc == 0 && World.text(data).equals("" + (int) ctx / 3) ? ctx : "rc " + rc);
                done.countDown();
            }, i * 3 + 1);
            zk.delete(path, 5, (rc, p, ctx) -> {
                order.add(rc == Code.BADVERSION.intValue() ? ctx : "rc " + rc);
                done.countDown();
            }, i * 3 + 2);
        }
        World.isTrue(done.await(20, TimeUnit.SECONDS), "not all callbacks came");
        for (int i = 0; i < count * 3; i++) {
            World.equal(order.get(i), i);
        }
    }

    @Case
    static void syncShowsWhatAnotherMemberAcknowledged(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        ZooKeeper other = t.client();
        for (int i = 0; i < 20; i++) {
            zk.create(t.root + "/" + i, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            other.sync(t.root);
            World.isTrue(other.exists(t.root + "/" + i, false) != null, i + " is not seen after sync");
        }
    }

    @Case
    static void aMegabyteIsStoredAndComesBack(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        byte[] large = new byte[1_000_000];
        Arrays.fill(large, (byte) 0xA5);
        zk.create(t.root + "/large", large, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        World.isTrue(Arrays.equals(zk.getData(t.root + "/large", false, null), large), "other bytes came back");
    }

    @Case
    static void aChrootedClientSeesOnlyItsPart(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        ZooKeeper inner = t.client(t.hosts + t.root, 8000, event -> {});
        World.equal(inner.create("/in", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT), "/in");
        World.sync(zk);
        World.isTrue(zk.exists(t.root + "/in", false) != null, "it is not below the chroot");
        World.equal(inner.getChildren("/", false), List.of("in"));
        List<String> seen = Collections.synchronizedList(new ArrayList<>());
        inner.getData("/in", event -> seen.add(World.word(event)), null);
        zk.setData(t.root + "/in", World.bytes("1"), -1);
        World.until("the event", () -> !seen.isEmpty());
        World.equal(seen, List.of("NodeDataChanged /in"));
    }
}
