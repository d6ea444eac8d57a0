import java.util.List;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Watcher.WatcherType;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.admin.ZooKeeperAdmin;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;

/** Which error code each wrong request is answered with, and which of two errors comes first. */
final class Errors {
    private static String make(ZooKeeper zk, String path, CreateMode mode) throws Exception {
        return zk.create(path, null, Ids.OPEN_ACL_UNSAFE, mode);
    }

    @Case
    static void whatIsNotThereIsNoNode(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        String none = t.root + "/none";
        World.fails(Code.NONODE, () -> zk.getData(none, false, null));
        World.fails(Code.NONODE, () -> zk.setData(none, null, -1));
        World.fails(Code.NONODE, () -> zk.getChildren(none, false));
        World.fails(Code.NONODE, () -> zk.getACL(none, null));
        World.fails(Code.NONODE, () -> zk.setACL(none, Ids.OPEN_ACL_UNSAFE, -1));
        World.fails(Code.NONODE, () -> zk.getAllChildrenNumber(none));
        World.fails(Code.NONODE, () -> make(zk, none + "/child", CreateMode.PERSISTENT));
        World.fails(Code.NONODE, () -> {
            zk.delete(none, 3);
            return "deleted";
        });
        World.equal(zk.exists(none, false), null);
        zk.sync(none);
    }

    @Case
    static void versionsAreCompared(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        String path = make(zk, t.root + "/a", CreateMode.PERSISTENT);
        World.fails(Code.BADVERSION, () -> zk.setData(path, null, 1));
        World.fails(Code.BADVERSION, () -> zk.setACL(path, Ids.OPEN_ACL_UNSAFE, 1));
        make(zk, path + "/child", CreateMode.PERSISTENT);
        World.fails(Code.BADVERSION, () -> delete(zk, path, 7));
        World.fails(Code.NOTEMPTY, () -> delete(zk, path, 0));
        World.fails(Code.NODEEXISTS, () -> make(zk, path, CreateMode.PERSISTENT));
    }

    private static Object delete(ZooKeeper zk, String path, int version) throws Exception {
        zk.delete(path, version);
        return "deleted";
    }

    @Case
    static void ephemeralsHaveNoChildren(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        String path = make(zk, t.root + "/e", CreateMode.EPHEMERAL);
        World.fails(Code.NOCHILDRENFOREPHEMERALS, () -> make(zk, path + "/c", CreateMode.PERSISTENT));
        World.fails(Code.NOCHILDRENFOREPHEMERALS, () -> make(zk, path + "/c", CreateMode.EPHEMERAL_SEQUENTIAL));
    }

    @Case
    static void theRootAndTheSystemNodesAreGuarded(World t) throws Exception {
        ZooKeeper zk = t.client();
        World.fails(Code.NODEEXISTS, () -> make(zk, "/zookeeper", CreateMode.PERSISTENT));
        World.fails(Code.BADARGUMENTS, () -> delete(zk, "/", -1));
        World.isTrue(zk.getChildren("/", false).contains("zookeeper"), "the system node is listed");
        World.equal(zk.getChildren("/zookeeper", false).stream().sorted().toList(), List.of("config", "quota"));
        World.fails(Code.NOAUTH, () -> zk.setData("/zookeeper/config", World.bytes("x"), -1));
    }

    @Case
    static void wrongAclsAreInvalid(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        for (Id id : List.of(new Id("digest", "nocolon"), new Id("ip", "1.2.3.4.5"), new Id("world", "someone"),
            new Id("nosuchscheme", "x"), new Id("auth", ""))) {
            List<ACL> acls = World.acls(new ACL(Perms.ALL, id));
            World.fails(Code.INVALIDACL, () -> zk.create(t.root + "/x", null, acls, CreateMode.PERSISTENT));
            World.fails(Code.INVALIDACL, () -> zk.setACL(t.root, acls, -1));
        }
        World.fails(Code.INVALIDACL, () -> zk.create(t.root + "/x", null, World.acls(), CreateMode.PERSISTENT));
    }

    @Case
    static void watchesThatAreNotThereCannotBeRemoved(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        World.fails(Code.NOWATCHER, () -> {
            zk.removeAllWatches(t.root, WatcherType.Any, false);
            return "removed";
        });
        zk.addWatch(t.root, event -> {}, AddWatchMode.PERSISTENT);
        zk.removeAllWatches(t.root, WatcherType.Any, false);
    }

    @Case
    static void reconfigurationIsDisabled(World t) throws Exception {
        ZooKeeperAdmin admin = t.keep(new ZooKeeperAdmin(t.hosts, 8000, event -> {}));
        admin.addAuthInfo("digest", World.bytes("super:test"));
        World.fails(Code.RECONFIGDISABLED, () ->
            World.retry(() -> admin.reconfigure("server.9=127.0.0.1:1:2;3", null, null, -1, null)));
    }
}
