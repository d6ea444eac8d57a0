import java.util.ArrayList;
import java.util.List;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.x.discovery.ServiceCache;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.ServiceProvider;
import org.apache.curator.x.discovery.strategies.RoundRobinStrategy;

/** Curator's service discovery: registered, found, cached, gone with its session. */
final class CuratorDiscovery {
    private static ServiceInstance<Void> instance(String id, int port) throws Exception {
        return ServiceInstance.<Void>builder().name("web").id(id).address("10.0.0.1").port(port).build();
    }

    private static ServiceDiscovery<Void> discovery(World t, CuratorFramework client) throws Exception {
        ServiceDiscovery<Void> discovery = t.keep(ServiceDiscoveryBuilder.builder(Void.class).client(client)
            .basePath(t.root).build());
        discovery.start();
        return discovery;
    }

    @Case
    static void aServiceIsFoundWhileItsSessionLives(World t) throws Exception {
        CuratorFramework owner = t.curator();
        discovery(t, owner).registerService(instance("one", 8001));
        ServiceDiscovery<Void> looking = discovery(t, t.curator());
        looking.registerService(instance("two", 8002));
        World.until("both instances", () -> looking.queryForInstances("web").size() == 2);
        World.equal(new ArrayList<>(looking.queryForNames()), List.of("web"));
        World.equal(looking.queryForInstance("web", "one").getPort(), 8001);
        owner.close();
        World.until("one instance", () -> looking.queryForInstances("web").size() == 1);
        looking.unregisterService(instance("two", 8002));
        World.until("none", () -> looking.queryForInstances("web").isEmpty());
    }

    @Case
    static void aProviderAndACacheFollowTheInstances(World t) throws Exception {
        ServiceDiscovery<Void> owner = discovery(t, t.curator());
        owner.registerService(instance("one", 8001));
        owner.registerService(instance("two", 8002));
        ServiceDiscovery<Void> looking = discovery(t, t.curator());
        ServiceCache<Void> cache = t.keep(looking.serviceCacheBuilder().name("web").build());
        cache.start();
        World.until("both in the cache", () -> cache.getInstances().size() == 2);
        ServiceProvider<Void> provider = t.keep(looking.serviceProviderBuilder().serviceName("web")
            .providerStrategy(new RoundRobinStrategy<>()).build());
        provider.start();
        World.until("both by turns", () ->
            provider.getInstance() != null && provider.getInstance().getPort() != provider.getInstance().getPort());
        ServiceInstance<Void> changed = ServiceInstance.<Void>builder().name("web").id("one").address("10.0.0.1")
            .port(9009).build();
        owner.updateService(changed);
        World.until("the changed port", () -> cache.getInstances().stream().anyMatch(i -> i.getPort() == 9009));
        owner.unregisterService(changed);
        World.until("one left", () -> cache.getInstances().size() == 1);
    }
}
