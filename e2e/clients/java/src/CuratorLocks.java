import java.util.ArrayList;
import java.util.List;
import java.util.Collection;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessMultiLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreMutex;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.locks.Revoker;

/** Curator's recipes that decide who may: locks, semaphores, barriers, leaders. */
final class CuratorLocks {
    /** Runs all at once; the first error of any is thrown. */
    static void together(List<Callable<Void>> work) throws Exception {
        ExecutorService pool = Executors.newCachedThreadPool();
        try {
            for (Future<Void> done : pool.invokeAll(work, 40, TimeUnit.SECONDS)) {
                done.get();
            }
        } finally {
            pool.shutdownNow();
        }
    }

    @Case
    static void aMutexIsHeldByOneAndEnteredAgainByItsHolder(World t) throws Exception {
        AtomicInteger inside = new AtomicInteger();
        List<Callable<Void>> work = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            InterProcessMutex mutex = new InterProcessMutex(t.curator(), t.root);
            work.add(() -> {
                for (int round = 0; round < 3; round++) {
                    mutex.acquire();
                    mutex.acquire();
                    World.equal(inside.incrementAndGet(), 1);
                    inside.decrementAndGet();
                    mutex.release();
                    mutex.release();
                }
                return null;
            });
        }
        together(work);
    }

    @Case
    static void aMutexThatIsHeldTimesOutOthersAndNamesItsContenders(World t) throws Exception {
        InterProcessMutex held = new InterProcessMutex(t.curator(), t.root);
        InterProcessMutex wanted = new InterProcessMutex(t.curator(), t.root);
        held.acquire();
        World.isTrue(!wanted.acquire(300, TimeUnit.MILLISECONDS), "two hold the mutex");
        World.equal(wanted.getParticipantNodes().size(), 1);
        held.release();
        World.isTrue(wanted.acquire(10, TimeUnit.SECONDS), "the mutex was not handed on");
    }

    @Case
    static void aHolderThatWasAskedToGivesTheMutexBack(World t) throws Exception {
        CuratorFramework client = t.curator();
        InterProcessMutex held = new InterProcessMutex(t.curator(), t.root);
        AtomicInteger asked = new AtomicInteger();
        held.makeRevocable(mutex -> asked.incrementAndGet());
        held.acquire();
        InterProcessMutex wanted = new InterProcessMutex(client, t.root);
        World.isTrue(!wanted.acquire(300, TimeUnit.MILLISECONDS), "two hold the mutex");
        World.equal(asked.get(), 0);
        for (String holder : wanted.getParticipantNodes()) {
            Revoker.attemptRevoke(client, holder);
        }
        World.until("the holder to be asked", () -> asked.get() == 1);
        World.isTrue(!wanted.acquire(300, TimeUnit.MILLISECONDS), "it is asked, and no more");
        held.release();
        World.isTrue(wanted.acquire(10, TimeUnit.SECONDS), "the mutex was not handed on");
    }

    @Case
    static void readersShareAndAWriterIsAlone(World t) throws Exception {
        InterProcessReadWriteLock a = new InterProcessReadWriteLock(t.curator(), t.root);
        InterProcessReadWriteLock b = new InterProcessReadWriteLock(t.curator(), t.root);
        a.readLock().acquire();
        World.isTrue(b.readLock().acquire(10, TimeUnit.SECONDS), "readers do not share");
        b.readLock().release();
        World.isTrue(!b.writeLock().acquire(300, TimeUnit.MILLISECONDS), "a writer beside a reader");
        a.readLock().release();
        World.isTrue(b.writeLock().acquire(10, TimeUnit.SECONDS), "the writer waits for nobody");
        World.isTrue(b.readLock().acquire(10, TimeUnit.SECONDS), "a writer may also read");
        World.isTrue(!a.readLock().acquire(300, TimeUnit.MILLISECONDS), "a reader beside a writer");
    }

    @Case
    static void aSemaphoreAdmitsAsManyAsItHasLeases(World t) throws Exception {
        CuratorFramework first = t.curator();
        InterProcessSemaphoreV2 a = new InterProcessSemaphoreV2(first, t.root, 2);
        InterProcessSemaphoreV2 b = new InterProcessSemaphoreV2(t.curator(), t.root, 2);
        Collection<Lease> two = a.acquire(2);
        World.equal(b.acquire(300, TimeUnit.MILLISECONDS), null);
        a.returnLease(two.iterator().next());
        World.isTrue(b.acquire(10, TimeUnit.SECONDS) != null, "a returned lease was not given on");
        first.close();
        World.isTrue(b.acquire(10, TimeUnit.SECONDS) != null, "the lease of a closed session was not given on");
    }

    @Case
    static void semaphoreMutexAndMultiLockExcludeToo(World t) throws Exception {
        CuratorFramework one = t.curator();
        CuratorFramework two = t.curator();
        InterProcessSemaphoreMutex plain = new InterProcessSemaphoreMutex(one, t.root + "/a");
        plain.acquire();
        InterProcessMultiLock both = new InterProcessMultiLock(two, List.of(t.root + "/b", t.root + "/a-mutex"));
        World.isTrue(both.acquire(10, TimeUnit.SECONDS), "free locks could not be taken");
        World.isTrue(!new InterProcessMutex(one, t.root + "/b").acquire(300, TimeUnit.MILLISECONDS), "taken twice");
        both.release();
        InterProcessSemaphoreMutex other = new InterProcessSemaphoreMutex(two, t.root + "/a");
        World.isTrue(!other.acquire(300, TimeUnit.MILLISECONDS), "two hold the semaphore mutex");
        plain.release();
        World.isTrue(other.acquire(10, TimeUnit.SECONDS), "it was not handed on");
    }

    @Case
    static void aLeaderLatchPassesOnWhenItsLeaderCloses(World t) throws Exception {
        List<LeaderLatch> latches = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            LeaderLatch latch = t.keep(new LeaderLatch(t.curator(), t.root, "n" + i));
            latch.start();
            latches.add(latch);
        }
        for (int left = 3; left > 0; left--) {
            World.until("a leader", () -> latches.stream().anyMatch(LeaderLatch::hasLeadership));
            World.equal(latches.stream().filter(LeaderLatch::hasLeadership).count(), 1L);
            LeaderLatch leader = latches.stream().filter(LeaderLatch::hasLeadership).findFirst().orElseThrow();
            World.equal(leader.getLeader().getId(), leader.getId());
            int others = left;
            World.until("all in the list", () -> leader.getParticipants().size() == others);
            leader.close();
            latches.remove(leader);
        }
    }

    @Case
    static void aLeaderSelectorLetsEachLeadInTurn(World t) throws Exception {
        AtomicInteger leading = new AtomicInteger();
        AtomicInteger twice = new AtomicInteger();
        CountDownLatch led = new CountDownLatch(6);
        for (int i = 0; i < 3; i++) {
            LeaderSelector selector = new LeaderSelector(t.curator(), t.root, new LeaderSelectorListenerAdapter() {
                @Override
                public void takeLeadership(CuratorFramework client) {
                    twice.addAndGet(leading.incrementAndGet() - 1);
                    leading.decrementAndGet();
                    led.countDown();
                }
            });
            selector.autoRequeue();
            t.keep(selector);
            selector.start();
        }
        World.isTrue(led.await(20, TimeUnit.SECONDS), led.getCount() + " terms are missing");
        World.equal(twice.get(), 0);
    }

    @Case
    static void barriersHoldAndLetGoTogether(World t) throws Exception {
        // Made by the barrier it would be a container, reaped between the two barriers.
        t.rooted();
        DistributedBarrier barrier = new DistributedBarrier(t.curator(), t.root + "/single");
        barrier.setBarrier();
        DistributedBarrier waiting = new DistributedBarrier(t.curator(), t.root + "/single");
        World.isTrue(!waiting.waitOnBarrier(300, TimeUnit.MILLISECONDS), "the barrier does not hold");
        barrier.removeBarrier();
        World.isTrue(waiting.waitOnBarrier(10, TimeUnit.SECONDS), "the barrier still holds");
        AtomicInteger inside = new AtomicInteger();
        List<Callable<Void>> work = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            DistributedDoubleBarrier pair = new DistributedDoubleBarrier(t.curator(), t.root + "/double", 3);
            work.add(() -> {
                World.isTrue(pair.enter(20, TimeUnit.SECONDS), "nobody let in");
                inside.incrementAndGet();
                World.until("all inside", () -> inside.get() == 3);
                World.isTrue(pair.leave(20, TimeUnit.SECONDS), "nobody let out");
                return null;
            });
        }
        together(work);
    }
}
