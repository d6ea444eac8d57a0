import java.util.List;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.Quotas;
import org.apache.zookeeper.StatsTrack;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.cli.SetQuotaCommand;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.server.util.ConfigUtils;

/** Containers, time to live, quotas, the configuration node. */
final class Special {
    @Case
    static void aContainerGoesWhenItsLastChildWent(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        String box = zk.create(t.root + "/box", null, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER);
        World.equal(zk.exists(box, false).getEphemeralOwner(), 0L);
        zk.create(box + "/child", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        List<String> seen = Watches.log();
        zk.exists(box, Watches.into(seen, "box"));
        zk.delete(box + "/child", -1);
        World.until("the container's end", () -> seen.contains("box NodeDeleted " + box));
        World.equal(zk.exists(box, false), null);
    }

    @Case
    static void aContainerThatWasNeverUsedStays(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        zk.create(t.root + "/unused", null, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER);
        zk.multi(List.of(Op.create(t.root + "/used", null, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER),
            Op.create(t.root + "/used/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.delete(t.root + "/used/c", -1)));
        World.until("the used one's end", () -> zk.exists(t.root + "/used", false) == null);
        World.isTrue(zk.exists(t.root + "/unused", false) != null, "the unused container is gone");
    }

    @Case
    static void aZnodeWithTimeToLiveGoesWhenItIsNeitherChangedNorAParent(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        Stat stat = new Stat();
        String path = zk.create(t.root + "/ttl", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, stat, 300);
        World.equal(stat.getEphemeralOwner(), 0L);
        String parent = t.root + "/parent";
        zk.create(parent, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, stat, 300);
        zk.create(parent + "/child", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        String name = zk.create(t.root + "/s-", null, Ids.OPEN_ACL_UNSAFE,
            CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL, stat, 60_000);
        World.equal(name, t.root + "/s-0000000002");
        World.until("the end of its life", () -> zk.exists(path, false) == null);
        World.isTrue(zk.exists(parent, false) != null, "a parent must stay");
        zk.delete(parent + "/child", -1);
        World.until("the parent's end", () -> zk.exists(parent, false) == null);
    }

    @Case
    static void aHardQuotaRefusesWhatExceedsIt(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        String path = zk.create(t.root + "/q", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        StatsTrack limits = new StatsTrack();
        limits.setCount(-1);
        limits.setBytes(-1);
        limits.setCountHardLimit(3);
        limits.setByteHardLimit(10);
        World.isTrue(SetQuotaCommand.createQuota(zk, path, limits), "the quota was not set");
        World.equal(new StatsTrack(zk.getData(Quotas.limitPath(path), false, null)).getCountHardLimit(), 3L);
        zk.create(path + "/1", World.bytes("12345"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create(path + "/2", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        World.fails(Code.QUOTAEXCEEDED, () ->
            zk.create(path + "/3", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        World.fails(Code.QUOTAEXCEEDED, () -> zk.setData(path + "/1", World.bytes("12345678901"), -1));
        StatsTrack used = new StatsTrack(zk.getData(Quotas.statPath(path), false, null));
        World.equal(List.of(used.getCount(), used.getBytes()), List.of(3L, 5L));
        World.isTrue(org.apache.zookeeper.cli.DelQuotaCommand.delQuota(zk, path, null), "the quota was not removed");
        zk.create(path + "/3", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    }

    @Case
    static void theConfigurationNodeNamesTheMembers(World t) throws Exception {
        ZooKeeper zk = t.client();
        Stat stat = new Stat();
        String config = World.text(zk.getConfig(false, stat));
        for (String host : t.lone() ? new String[0] : t.hosts.split(",")) {
            World.isTrue(config.contains(host), host + " is missing in: " + config);
        }
        World.isTrue(t.lone() || config.contains(":participant;"), config);
        World.isTrue(t.lone() || config.contains("version="), config);
        if (!t.lone()) {
            // As zkCli's `config -c` and Curator's EnsembleTracker read it.
            World.until("a configuration that ZooKeeper's parser takes", () -> {
                String servers = ConfigUtils.getClientConfigStr(World.text(zk.getConfig(false, stat)));
                return List.of(t.hosts.split(",")).stream().allMatch(servers::contains);
            });
        }
    }
}
