import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.retry.RetryForever;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;

/** Registers an instance, or stands for election, as an application on Curator does, until it is killed. */
final class Registrar {
    private static final int SESSION_MS = 4_000;

    public static void main(String[] args) throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.newClient(args[0], SESSION_MS, SESSION_MS, new RetryForever(100));
        client.start();
        switch (args[1]) {
            case "register" -> register(client, args[2], args[3], args[4], args[5], Integer.parseInt(args[6]));
            case "lead" -> lead(client, args[2], args[3]);
            case "select" -> select(client, args[2], args[3]);
            default -> throw new IllegalArgumentException(args[1]);
        }
        Thread.sleep(Long.MAX_VALUE);
    }

    private static void register(CuratorFramework client, String base, String name, String id, String address, int port)
            throws Exception {
        ServiceInstance<Void> instance =
            ServiceInstance.<Void>builder().name(name).id(id).address(address).port(port).build();
        ServiceDiscoveryBuilder.builder(Void.class).client(client).basePath(base).thisInstance(instance).build().start();
        System.out.println("registered");
    }

    private static void lead(CuratorFramework client, String path, String id) throws Exception {
        LeaderLatch latch = new LeaderLatch(client, path, id);
        latch.start();
        System.out.println("stands");
        latch.await();
        System.out.println("leads");
    }

    /** Leads until it is told a line, and stands anew. */
    private static void select(CuratorFramework client, String path, String id) {
        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in));
        LeaderSelector selector = new LeaderSelector(client, path, new LeaderSelectorListenerAdapter() {
            @Override
            public void takeLeadership(CuratorFramework leading) throws IOException {
                System.out.println("leads");
                orders.readLine();
                System.out.println("lets go");
            }
        });
        selector.setId(id);
        selector.autoRequeue();
        selector.start();
    }
}
