import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.recipes.leader.LeaderElectionSupport;
import org.apache.zookeeper.recipes.lock.LockListener;
import org.apache.zookeeper.recipes.lock.WriteLock;
import org.apache.zookeeper.recipes.queue.DistributedQueue;

/** The recipes that ZooKeeper itself ships: lock, election, queue. */
final class Recipes {
    private static LockListener into(List<String> log, String name) {
        return new LockListener() {
            @Override
            public void lockAcquired() {
                log.add(name + " has it");
            }

            @Override
            public void lockReleased() {
                log.add(name + " gave it back");
            }
        };
    }

    @Case
    static void aWriteLockIsHandedOnInTheOrderOfThoseWhoAsked(World t) throws Exception {
        t.rooted();
        List<String> seen = Watches.log();
        List<ZooKeeper> clients = List.of(t.client(), t.client(), t.client());
        List<WriteLock> locks = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            locks.add(new WriteLock(clients.get(i), t.root + "/lock", null, into(seen, "n" + i)));
            World.equal(locks.get(i).lock(), i == 0);
        }
        World.equal(locks.stream().filter(WriteLock::isOwner).toList(), List.of(locks.get(0)));
        locks.get(0).unlock();
        World.until("the second", () -> seen.contains("n1 has it"));
        World.equal(locks.stream().filter(WriteLock::isOwner).toList(), List.of(locks.get(1)));
        clients.get(1).close();
        World.until("the third", () -> seen.contains("n2 has it"));
        // The first is told of its own giving back when the second may already have heard.
        World.isTrue(seen.remove("n0 gave it back"), seen.toString());
        World.equal(seen, List.of("n0 has it", "n1 has it", "n2 has it"));
    }

    @Case
    static void anElectionPassesOnWhenTheLeaderStopsOrIsGone(World t) throws Exception {
        t.rooted();
        List<String> seen = Watches.log();
        List<ZooKeeper> clients = List.of(t.client(), t.client(), t.client());
        List<LeaderElectionSupport> elections = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            String name = "n" + i;
            LeaderElectionSupport election = new LeaderElectionSupport();
            election.setZooKeeper(clients.get(i));
            World.sync(clients.get(i));
            election.setRootNodeName(t.root);
            election.setHostName(name);
            election.addListener(event -> seen.add(name + " " + event));
            election.start();
            elections.add(election);
        }
        World.isTrue(seen.containsAll(List.of("n0 ELECTED_COMPLETE", "n1 READY_COMPLETE", "n2 READY_COMPLETE")),
            seen.toString());
        World.equal(elections.get(2).getLeaderHostName(), "n0");
        elections.get(0).stop();
        World.until("the second", () -> seen.contains("n1 ELECTED_COMPLETE"));
        World.isTrue(!seen.contains("n2 ELECTED_START"), "two lead");
        clients.get(1).close();
        World.until("the third", () -> seen.contains("n2 ELECTED_COMPLETE"));
        World.equal(elections.get(2).getLeaderHostName(), "n2");
        World.isTrue(seen.stream().noneMatch(event -> event.endsWith("FAILED")), seen.toString());
    }

    @Case
    static void aQueueGivesEachItemToOneInOrder(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        ZooKeeper other = t.client();
        DistributedQueue mine = new DistributedQueue(zk, t.root + "/queue", null);
        DistributedQueue theirs = new DistributedQueue(other, t.root + "/queue", null);
        World.equal(mine.peek(), null);
        for (String item : List.of("one", "two", "three")) {
            World.isTrue(mine.offer(World.bytes(item)), "the offer was refused");
        }
        World.equal(World.text(mine.element()), "one");
        World.sync(other);
        World.equal(World.text(theirs.remove()) + " " + World.text(mine.poll()) + " " + World.text(theirs.take()),
            "one two three");
        try {
            World.isTrue(mine.remove() == null, "a fourth of three");
        } catch (NoSuchElementException empty) {
            World.equal(mine.poll(), null);
        }
        FutureTask<byte[]> taken = new FutureTask<>(theirs::take);
        new Thread(taken).start();
        Thread.sleep(200);
        World.isTrue(!taken.isDone(), "taken from an empty queue");
        World.isTrue(mine.offer(World.bytes("last")), "the offer was refused");
        World.equal(World.text(taken.get(20, TimeUnit.SECONDS)), "last");
    }
}
