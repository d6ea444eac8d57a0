import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZKUtil;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ACL;

/**
 * What every case stands on: clients that are closed at its end, an empty path of its own, a hand on the servers, and
 * expectations that say what they found.
 */
final class World {
    final String hosts;
    final String root;
    private final List<AutoCloseable> open = new ArrayList<>();

    World(String hosts, String root) {
        this.hosts = hosts;
        this.root = root;
    }

    boolean lone() {
        return !hosts.contains(",");
    }

    /** A connected client whose connection events are ignored. */
    ZooKeeper client() throws Exception {
        return client(hosts, 8000, event -> {});
    }

    ZooKeeper client(String where, int timeoutMs, Watcher watcher) throws Exception {
        CountDownLatch connected = new CountDownLatch(1);
        ZooKeeper zk = new ZooKeeper(where, timeoutMs, event -> {
            if (event.getState() == Watcher.Event.KeeperState.SyncConnected) {
                connected.countDown();
            }
            watcher.process(event);
        });
        keep(zk);
        isTrue(connected.await(20, TimeUnit.SECONDS), "no connection within 20 s");
        return zk;
    }

    /** A client, with the root of this case made empty. */
    ZooKeeper rooted() throws Exception {
        ZooKeeper zk = client();
        if (zk.exists(root, false) != null) {
            ZKUtil.deleteRecursive(zk, root);
        }
        zk.create(root, new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        return zk;
    }

    CuratorFramework curator() throws Exception {
        return curator(8000);
    }

    CuratorFramework curator(int timeoutMs) throws Exception {
        return curator(hosts, timeoutMs);
    }

    /** It goes where it is told to, and not to what `/zookeeper/config` shows. */
    CuratorFramework curator(String where, int timeoutMs) throws Exception {
        CuratorFramework curator = CuratorFrameworkFactory.builder().connectString(where).sessionTimeoutMs(timeoutMs)
            .connectionTimeoutMs(8000).retryPolicy(new RetryNTimes(20, 250)).ensembleTracker(where.equals(hosts))
            .build();
        keep(curator);
        curator.start();
        isTrue(curator.blockUntilConnected(20, TimeUnit.SECONDS), "no connection within 20 s");
        return curator;
    }

    /**
     * Brings the member that serves this client up to every write acknowledged before: it may lag. All events that came
     * before are with their watchers then: the callback stands behind them in the client's queue.
     */
    static void sync(ZooKeeper zk) throws Exception {
        CountDownLatch done = new CountDownLatch(1);
        zk.sync("/", (code, path, context) -> done.countDown(), null);
        isTrue(done.await(20, TimeUnit.SECONDS), "no sync within 20 s");
    }

    <T extends AutoCloseable> T keep(T thing) {
        synchronized (open) {
            open.add(thing);
        }
        return thing;
    }

    void close() {
        List<AutoCloseable> all;
        synchronized (open) {
            all = new ArrayList<>(open);
        }
        for (int i = all.size() - 1; i >= 0; i--) {
            try {
                all.get(i).close();
            } catch (Exception | AssertionError alreadyClosed) {
                continue;
            }
        }
    }

    /** Asks the runner to kill or start a member, named by its client port. */
    static String control(String line) throws Exception {
        String[] address = System.getenv("E2E_CONTROL").split(":");
        try (Socket link = new Socket(address[0], Integer.parseInt(address[1]))) {
            link.getOutputStream().write((line + "\n").getBytes(StandardCharsets.UTF_8));
            String answer = new BufferedReader(new InputStreamReader(link.getInputStream())).readLine();
            isTrue(answer != null && answer.startsWith("ok"), line + ": " + answer);
            return answer.substring(2).trim();
        }
    }

    /** The client port of the server that this client is connected to. */
    static int serverPort(ZooKeeper zk) throws Exception {
        String text = zk.toString();
        int at = text.indexOf("remoteserver:");
        String address = text.substring(at, text.indexOf(' ', at));
        return Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
    }

    /** Kills the member that this client is connected to; a lone one is started again at once. */
    int killServerOf(ZooKeeper zk) throws Exception {
        int port = serverPort(zk);
        control("kill " + port);
        if (lone()) {
            control("start " + port);
        }
        return port;
    }

    /** The client asks its list whether it holds null, which `List.of` takes ill. */
    static List<ACL> acls(ACL... acls) {
        return Arrays.asList(acls);
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] bytes) {
        return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
    }

    static void isTrue(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    static void equal(Object got, Object wanted) {
        isTrue(Objects.equals(got, wanted), "got " + got + ", wanted " + wanted);
    }

    static void until(String what, Callable<Boolean> condition) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!condition.call()) {
            isTrue(System.nanoTime() < end, "not within 20 s: " + what);
            Thread.sleep(10);
        }
    }

    static void fails(KeeperException.Code code, Callable<?> action) throws Exception {
        Object result;
        try {
            result = action.call();
        } catch (KeeperException e) {
            equal(e.code(), code);
            return;
        }
        throw new AssertionError("got " + result + ", wanted " + code);
    }

    /** Repeats while the connection is being made anew. */
    static <T> T retry(Callable<T> action) throws Exception {
        for (int i = 0; ; i++) {
            try {
                return action.call();
            } catch (KeeperException.ConnectionLossException e) {
                isTrue(i < 100, "the connection stays lost");
                Thread.sleep(100);
            }
        }
    }

    static String word(WatchedEvent event) {
        return event.getType() + " " + event.getPath();
    }
}
