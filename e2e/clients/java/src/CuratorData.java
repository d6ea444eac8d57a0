import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.CachedAtomicLong;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicInteger;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicValue;
import org.apache.curator.framework.recipes.atomic.PromotedToLock;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.framework.recipes.queue.DistributedDelayQueue;
import org.apache.curator.framework.recipes.queue.DistributedIdQueue;
import org.apache.curator.framework.recipes.queue.DistributedPriorityQueue;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;

/** Curator's recipes that hold data: queues, counters, nodes that come back, transactions. */
final class CuratorData {
    private static final QueueSerializer<String> TEXT = new QueueSerializer<>() {
        @Override
        public byte[] serialize(String item) {
            return World.bytes(item);
        }

        @Override
        public String deserialize(byte[] bytes) {
            return World.text(bytes);
        }
    };

    private static QueueConsumer<String> into(List<String> got) {
        return new QueueConsumer<>() {
            @Override
            public void consumeMessage(String message) {
                got.add(message);
            }

            @Override
            public void stateChanged(CuratorFramework client, ConnectionState state) {
                got.size();
            }
        };
    }

    @Case
    static void queuesDeliverEachItemOnceInTheirOrder(World t) throws Exception {
        List<String> plain = Watches.log();
        CuratorFramework client = t.curator();
        DistributedQueue<String> queue = t.keep(QueueBuilder.builder(client, into(plain), TEXT, t.root + "/q")
            .lockPath(t.root + "/locks").buildQueue());
        queue.start();
        for (int i = 0; i < 10; i++) {
            queue.put("i" + i);
        }
        World.until("ten items: " + plain, () -> plain.size() == 10);
        World.equal(plain.stream().sorted().distinct().count(), 10L);
        DistributedPriorityQueue<String> sorted = t.keep(QueueBuilder.<String>builder(client, null, TEXT, t.root + "/p")
            .buildPriorityQueue(0));
        sorted.start();
        sorted.put("last", 9);
        sorted.put("first", 1);
        World.until("both to be stored", () -> client.getChildren().forPath(t.root + "/p").size() == 2);
        List<String> got = Watches.log();
        t.keep(QueueBuilder.builder(client, into(got), TEXT, t.root + "/p").buildPriorityQueue(0)).start();
        World.until("two items", () -> got.size() == 2);
        World.equal(got, List.of("first", "last"));
    }

    @Case
    static void aDelayQueueWaitsAndASimpleQueueIsFirstInFirstOut(World t) throws Exception {
        CuratorFramework client = t.curator();
        List<String> got = Watches.log();
        DistributedDelayQueue<String> delayed = t.keep(QueueBuilder.builder(client, into(got), TEXT, t.root + "/d")
            .buildDelayQueue());
        delayed.start();
        long began = System.currentTimeMillis();
        delayed.put("later", began + 600);
        World.until("the delayed item", () -> got.size() == 1);
        World.isTrue(System.currentTimeMillis() - began >= 600, "it came before its time");
        SimpleDistributedQueue simple = new SimpleDistributedQueue(client, t.root + "/s");
        for (String item : List.of("1", "2", "3")) {
            World.isTrue(simple.offer(World.bytes(item)), "the offer was refused");
        }
        World.equal(World.text(simple.peek()), "1");
        World.equal(World.text(simple.take()) + World.text(simple.poll()) + World.text(simple.remove()), "123");
        World.equal(simple.poll(), null);
    }

    @Case
    static void anItemOfAnIdQueueIsTakenBackByItsId(World t) throws Exception {
        CuratorFramework client = t.curator();
        DistributedIdQueue<String> queue = t.keep(QueueBuilder.<String>builder(client, null, TEXT, t.root + "/i")
            .buildIdQueue());
        queue.start();
        for (String id : List.of("a", "b", "c")) {
            queue.put("item " + id, id);
        }
        World.isTrue(queue.flushPuts(20, TimeUnit.SECONDS), "not stored");
        World.equal(queue.remove("b"), 1);
        World.equal(queue.remove("b"), 0);
        List<String> got = Watches.log();
        t.keep(QueueBuilder.builder(t.curator(), into(got), TEXT, t.root + "/i").buildIdQueue()).start();
        World.until("two items", () -> got.size() == 2);
        World.equal(got, List.of("item a", "item c"));
    }

    @Case
    static void countersAddUpFromManyClients(World t) throws Exception {
        List<Callable<Void>> work = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            DistributedAtomicLong counter = new DistributedAtomicLong(t.curator(), t.root + "/long",
                new RetryNTimes(1000, 5));
            work.add(() -> {
                for (int n = 0; n < 5; n++) {
                    AtomicValue<Long> added = counter.add(3L);
                    World.isTrue(added.succeeded() && added.postValue() == added.preValue() + 3, "add failed");
                }
                return null;
            });
        }
        CuratorLocks.together(work);
        CuratorFramework client = t.curator();
        client.sync().forPath(t.root + "/long");
        World.equal(new DistributedAtomicLong(client, t.root + "/long", new RetryNTimes(3, 5)).get().postValue(), 60L);
    }

    @Case
    static void valuesAreComparedAndSwappedAndALockSettlesWhatTriesDoNot(World t) throws Exception {
        CuratorFramework one = t.curator();
        RetryNTimes once = new RetryNTimes(0, 5);
        DistributedAtomicValue mine = new DistributedAtomicValue(one, t.root + "/value", once);
        DistributedAtomicValue theirs = new DistributedAtomicValue(t.curator(), t.root + "/value", once);
        World.isTrue(mine.initialize(World.bytes("a")), "a value before the first");
        World.isTrue(!theirs.initialize(World.bytes("b")), "two first values");
        World.isTrue(theirs.compareAndSet(World.bytes("a"), World.bytes("b")).succeeded(), "the swap was refused");
        World.isTrue(!mine.compareAndSet(World.bytes("a"), World.bytes("c")).succeeded(), "a stale swap was accepted");
        one.sync().forPath(t.root + "/value");
        World.equal(World.text(mine.get().postValue()), "b");
        List<Callable<Void>> work = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            DistributedAtomicInteger counter = new DistributedAtomicInteger(t.curator(), t.root + "/number",
                once, PromotedToLock.builder().lockPath(t.root + "/lock")
                .timeout(20, TimeUnit.SECONDS).retryPolicy(new RetryNTimes(1000, 5)).build());
            work.add(() -> {
                for (int n = 0; n < 5; n++) {
                    World.isTrue(counter.increment().succeeded(), "no increment under the lock");
                }
                return null;
            });
        }
        CuratorLocks.together(work);
        one.sync().forPath(t.root + "/number");
        World.equal(new DistributedAtomicInteger(one, t.root + "/number", once).get().postValue(), 15);
        CachedAtomicLong cached = new CachedAtomicLong(new DistributedAtomicLong(one, t.root + "/ids", once), 10);
        World.equal(cached.next().postValue() + " " + cached.next().postValue(), "1 2");
    }

    @Case
    static void aSharedCountIsSeenByOthersAndGuardedByItsVersion(World t) throws Exception {
        SharedCount mine = t.keep(new SharedCount(t.curator(), t.root, 7));
        SharedCount theirs = t.keep(new SharedCount(t.curator(), t.root, 0));
        mine.start();
        theirs.start();
        World.until("the first value", () -> theirs.getCount() == 7);
        var stale = theirs.getVersionedValue();
        mine.setCount(8);
        World.until("the second value", () -> theirs.getCount() == 8);
        World.isTrue(!theirs.trySetCount(stale, 99), "a stale version was accepted");
        World.isTrue(theirs.trySetCount(theirs.getVersionedValue(), 9), "the present version was refused");
    }

    @Case
    static void aPersistentWatcherHearsEveryChange(World t) throws Exception {
        CuratorFramework client = t.curator();
        client.create().creatingParentsIfNeeded().forPath(t.root);
        List<String> seen = Watches.log();
        PersistentWatcher watcher = t.keep(new PersistentWatcher(t.curator(), t.root, true));
        watcher.getListenable().addListener(event -> seen.add(World.word(event)));
        watcher.start();
        World.until("the first event", () -> {
            client.setData().forPath(t.root);
            return seen.contains("NodeDataChanged " + t.root);
        });
        client.create().forPath(t.root + "/x");
        World.until("the second event", () -> seen.contains("NodeCreated " + t.root + "/x"));
    }

    @Case
    static void nodesComeBackWhenTheyAreDeletedAndGroupsListTheirMembers(World t) throws Exception {
        CuratorFramework client = t.curator();
        PersistentNode node = t.keep(new PersistentNode(t.curator(), CreateMode.EPHEMERAL, false, t.root + "/n",
            World.bytes("x")));
        node.start();
        World.until("the node", () -> client.checkExists().forPath(t.root + "/n") != null);
        long first = client.checkExists().forPath(t.root + "/n").getCzxid();
        client.delete().forPath(t.root + "/n");
        World.until("its return", () -> client.checkExists().forPath(t.root + "/n") != null);
        World.isTrue(client.checkExists().forPath(t.root + "/n").getCzxid() > first, "it was not made anew");
        PersistentTtlNode brief = t.keep(new PersistentTtlNode(t.curator(), t.root + "/ttl", 3000, new byte[0]));
        brief.start();
        World.until("the node with a time to live", () -> client.checkExists().forPath(t.root + "/ttl/" +
            PersistentTtlNode.DEFAULT_CHILD_NODE_NAME) != null);
        GroupMember a = t.keep(new GroupMember(t.curator(), t.root + "/group", "a"));
        GroupMember b = t.keep(new GroupMember(t.curator(), t.root + "/group", "b"));
        a.start();
        b.start();
        World.until("both members", () -> a.getCurrentMembers().keySet().equals(java.util.Set.of("a", "b")));
        b.close();
        World.until("one member", () -> a.getCurrentMembers().keySet().equals(java.util.Set.of("a")));
    }

    @Case
    static void aTransactionIsAllOrNothing(World t) throws Exception {
        CuratorFramework client = t.curator();
        client.create().creatingParentsIfNeeded().forPath(t.root);
        List<CuratorTransactionResult> results = client.transaction().forOperations(
            client.transactionOp().create().forPath(t.root + "/a", World.bytes("1")),
            client.transactionOp().setData().withVersion(0).forPath(t.root + "/a", World.bytes("2")),
            client.transactionOp().check().withVersion(1).forPath(t.root + "/a"));
        World.equal(results.get(0).getResultPath(), t.root + "/a");
        World.equal(results.get(1).getResultStat().getVersion(), 1);
        World.fails(KeeperException.Code.NONODE, () -> client.transaction().forOperations(
            client.transactionOp().delete().forPath(t.root + "/a"),
            client.transactionOp().delete().forPath(t.root + "/none")));
        World.equal(World.text(client.getData().forPath(t.root + "/a")), "2");
    }

    @Case
    static void protectedAndContainerAndBackgroundCreatesWork(World t) throws Exception {
        CuratorFramework client = t.curator();
        String path = client.create().creatingParentContainersIfNeeded().withProtection()
            .withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath(t.root + "/in/n-");
        World.isTrue(path.matches(".*/_c_[-0-9a-f]+-n-0000000000"), path);
        List<String> done = Watches.log();
        client.create().inBackground((c, event) -> done.add(event.getType() + " " + event.getResultCode()))
            .forPath(t.root + "/background");
        World.until("the callback", () -> done.size() == 1);
        World.equal(done, List.of("CREATE 0"));
        client.delete().forPath(path);
        World.until("the container's end", () -> client.checkExists().forPath(t.root + "/in") == null);
    }
}
