import java.util.ArrayList;
import java.util.List;

/** The members, reached through doors of the runner: while they are shut, what is said is lost and nobody is told. */
final class Doors {
    /** What to connect to. */
    final String hosts;
    private final List<String> ports = new ArrayList<>();

    Doors(World t) throws Exception {
        for (String host : t.hosts.split(",")) {
            ports.add(World.control("door " + host.substring(host.lastIndexOf(':') + 1)));
        }
        hosts = "127.0.0.1:" + String.join(",127.0.0.1:", ports);
    }

    void shut() throws Exception {
        set("shut ");
    }

    void open() throws Exception {
        set("open ");
    }

    private void set(String verb) throws Exception {
        for (String port : ports) {
            World.control(verb + port);
        }
    }
}
