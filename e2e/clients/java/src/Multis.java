import java.util.ArrayList;
import java.util.List;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/** Atomic multi and multiRead: all or nothing, what each result is, what a failure looks like. */
final class Multis {
    private static Op create(String path) {
        return Op.create(path, World.bytes("d"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    }

    @Case
    static void allPartsHappenAtOneZxid(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        List<OpResult> results = zk.multi(List.of(create(t.root + "/a"), create(t.root + "/a/b"),
            Op.setData(t.root + "/a", World.bytes("new"), 0), Op.check(t.root + "/a", 1),
            Op.create(t.root + "/s-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL),
            Op.delete(t.root + "/a/b", -1)));
        World.equal(((OpResult.CreateResult) results.get(0)).getPath(), t.root + "/a");
        World.equal(((OpResult.SetDataResult) results.get(2)).getStat().getVersion(), 1);
        World.isTrue(results.get(3) instanceof OpResult.CheckResult, results.get(3).toString());
        World.equal(((OpResult.CreateResult) results.get(4)).getPath(), t.root + "/s-0000000001");
        World.isTrue(results.get(5) instanceof OpResult.DeleteResult, results.get(5).toString());
        Stat stat = zk.exists(t.root + "/a", false);
        World.equal(List.of(stat.getMzxid(), stat.getPzxid()), List.of(stat.getCzxid(), stat.getCzxid()));
        World.equal(zk.exists(t.root + "/s-0000000001", false).getCzxid(), stat.getCzxid());
    }

    @Case
    static void aFailedPartUndoesAllAndNamesItself(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        zk.create(t.root + "/there", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Stat before = zk.exists(t.root, false);
        try {
            zk.multi(List.of(create(t.root + "/x"), Op.delete(t.root + "/there", -1), create(t.root + "/no/parent"),
                create(t.root + "/y")));
            throw new AssertionError("the multi succeeded");
        } catch (KeeperException e) {
            World.equal(e.code(), Code.NONODE);
            List<Integer> codes = new ArrayList<>();
            e.getResults().forEach(result -> codes.add(((OpResult.ErrorResult) result).getErr()));
            World.equal(codes, List.of(0, 0, Code.NONODE.intValue(), Code.RUNTIMEINCONSISTENCY.intValue()));
        }
        World.equal(zk.exists(t.root, false), before);
        World.equal(zk.getChildren(t.root, false), List.of("there"));
    }

    @Case
    static void checkGuardsVersionsAndExistence(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        World.fails(Code.NONODE, () -> zk.multi(List.of(Op.check(t.root + "/none", -1))));
        World.fails(Code.BADVERSION, () -> zk.multi(List.of(Op.check(t.root, 9))));
        World.equal(zk.multi(List.of(Op.check(t.root, -1))).size(), 1);
        World.equal(zk.multi(List.of()).size(), 0);
    }

    @Case
    static void aReadMultiAnswersEachPartForItself(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        zk.create(t.root + "/a", World.bytes("1"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        List<OpResult> results = zk.multi(List.of(Op.getData(t.root + "/a"), Op.getChildren(t.root),
            Op.getData(t.root + "/none"), Op.getChildren(t.root + "/a")));
        OpResult.GetDataResult data = (OpResult.GetDataResult) results.get(0);
        World.equal(World.text(data.getData()), "1");
        World.equal(data.getStat(), zk.exists(t.root + "/a", false));
        World.equal(((OpResult.GetChildrenResult) results.get(1)).getChildren(), List.of("a"));
        World.equal(((OpResult.ErrorResult) results.get(2)).getErr(), Code.NONODE.intValue());
        World.equal(((OpResult.GetChildrenResult) results.get(3)).getChildren(), List.of());
    }

    @Case
    static void pipelinedMultisKeepSequenceNumbersAndVersionsRight(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        List<Integer> codes = java.util.Collections.synchronizedList(new ArrayList<>());
        for (int i = 0; i < 60; i++) {
            List<Op> ops = new ArrayList<>();
            ops.add(Op.create(t.root + "/n-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL));
            ops.add(i % 3 == 2 ? Op.check(t.root, 77) : Op.check(t.root, 0));
            zk.multi(ops, (rc, path, ctx, results) -> codes.add(rc), null);
        }
        World.until("all answers", () -> codes.size() == 60);
        for (int i = 0; i < 60; i++) {
            World.equal(codes.get(i), i % 3 == 2 ? Code.BADVERSION.intValue() : 0);
        }
        List<String> names = zk.getChildren(t.root, false).stream().sorted().toList();
        World.equal(names.size(), 40);
        World.equal(List.of(names.get(0), names.get(39)), List.of("n-0000000000", "n-0000000039"));
    }

    @Case
    static void aTransactionBuiltByTheClientWatchesFireOnceEach(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        List<String> seen = java.util.Collections.synchronizedList(new ArrayList<>());
        zk.exists(t.root + "/a", event -> seen.add(World.word(event)));
        zk.getChildren(t.root, event -> seen.add(World.word(event)));
        World.fails(Code.NONODE, () -> zk.transaction()
            .create(t.root + "/a", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT)
            .delete(t.root + "/none", -1).commit());
        World.sync(zk);
        World.equal(seen, List.of());
        zk.transaction().create(t.root + "/a", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT)
            .setData(t.root + "/a", World.bytes("1"), 0).delete(t.root + "/a", 1).commit();
        World.until("two events", () -> seen.size() == 2);
        World.equal(seen.stream().sorted().toList(),
            List.of("NodeChildrenChanged " + t.root, "NodeCreated " + t.root + "/a"));
    }
}
