import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.retry.RetryForever;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.details.JsonInstanceSerializer;

/**
 * An application on Curator: {@code Registrar register|lead SERVERS PATH NAME ADDRESS}. It answers with its name at
 * port 7000; {@code /disable}, {@code /enable} and {@code /leave} change its registration.
 */
final class Registrar {
    private static final int PORT = 7000;
    private static final int SESSION_MS = 4_000;

    private final CuratorFramework client;
    private final String path;
    private final String name;
    private final String address;
    private ServiceDiscovery<Void> discovery;

    private Registrar(String servers, String path, String name, String address) {
        this.client = CuratorFrameworkFactory.newClient(servers, SESSION_MS, SESSION_MS, new RetryForever(100));
        this.path = path;
        this.name = name;
        this.address = address;
    }

    public static void main(String[] args) throws Exception {
        Registrar registrar = new Registrar(args[1], args[2], args[3], args[4]);
        registrar.client.start();
        if (args[0].equals("lead")) {
            new LeaderLatch(registrar.client, registrar.path, registrar.address + ":" + PORT).start();
        } else {
            registrar.register();
        }
        HttpServer server = HttpServer.create(new InetSocketAddress(PORT), 0);
        server.createContext("/", registrar::answer);
        server.start();
    }

    private ServiceInstance<Void> instance(boolean enabled) throws Exception {
        String service = path.substring(path.lastIndexOf('/') + 1);
        return ServiceInstance.<Void>builder().name(service).id(name).address(address).port(PORT).enabled(enabled).build();
    }

    private void register() throws Exception {
        String base = path.substring(0, path.lastIndexOf('/'));
        // As Curator's older readers want it, which is the default, it would not say whether an instance is enabled.
        JsonInstanceSerializer<Void> whole = new JsonInstanceSerializer<>(Void.class, false);
        discovery =
            ServiceDiscoveryBuilder.builder(Void.class).client(client).basePath(base).serializer(whole).build();
        discovery.start();
        discovery.registerService(instance(true));
    }

    private void answer(HttpExchange exchange) throws IOException {
        try {
            switch (exchange.getRequestURI().getPath()) {
                case "/disable" -> discovery.updateService(instance(false));
                case "/enable" -> discovery.updateService(instance(true));
                case "/leave" -> discovery.unregisterService(instance(true));
                default -> { }
            }
        } catch (Exception failed) {
            throw new IOException(failed);
        }
        byte[] body = name.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(200, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }
}
