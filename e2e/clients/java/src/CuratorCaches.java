import java.util.List;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.cache.ChildData;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.cache.NodeCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCache.StartMode;
import org.apache.curator.framework.recipes.cache.PathChildrenCacheEvent;
import org.apache.curator.framework.recipes.cache.TreeCache;
import org.apache.curator.framework.recipes.cache.TreeCacheEvent;

/** Curator's caches: the one of today on persistent watches, and the three before it on watches that fire once. */
final class CuratorCaches {
    @Case
    static void aCacheMirrorsASubtreeAndTellsEachChange(World t) throws Exception {
        CuratorFramework writer = t.curator();
        writer.create().creatingParentsIfNeeded().forPath(t.root + "/a/b", World.bytes("1"));
        CuratorCache cache = t.keep(CuratorCache.build(t.curator(), t.root));
        List<String> seen = Watches.log();
        cache.listenable().addListener(CuratorCacheListener.builder()
            .forCreates(node -> seen.add("+" + node.getPath().substring(t.root.length())))
            .forChanges((before, after) -> seen.add("~" + after.getPath().substring(t.root.length())))
            .forDeletes(node -> seen.add("-" + node.getPath().substring(t.root.length())))
            .forInitialized(() -> seen.add("ready")).build());
        cache.start();
        World.until("the first fill", () -> seen.contains("ready"));
        World.equal(cache.get(t.root + "/a/b").map(ChildData::getData).map(World::text).orElse("none"), "1");
        seen.clear();
        writer.setData().forPath(t.root + "/a/b", World.bytes("2"));
        World.until("the change: " + seen, () -> seen.contains("~/a/b"));
        writer.create().forPath(t.root + "/a/c");
        World.until("the new node", () -> seen.contains("+/a/c"));
        writer.delete().deletingChildrenIfNeeded().forPath(t.root + "/a");
        World.until("the end of all: " + seen, () -> seen.containsAll(List.of("-/a/b", "-/a/c", "-/a")));
        World.equal(cache.stream().count(), 1L);
    }

    private static String data(ChildData node) {
        return node == null ? "none" : World.text(node.getData());
    }

    @Case
    static void aCacheOfChildrenFollowsThemThroughTheirLives(World t) throws Exception {
        CuratorFramework writer = t.curator();
        CuratorFramework reader = t.curator();
        writer.create().creatingParentsIfNeeded().forPath(t.root + "/a", World.bytes("1"));
        reader.sync().forPath(t.root);
        PathChildrenCache cache = t.keep(new PathChildrenCache(reader, t.root, true));
        List<String> seen = Watches.log();
        cache.getListenable().addListener((client, event) -> {
            ChildData node = event.getData();
            seen.add(event.getType() + (node == null ? "" : " " + node.getPath().substring(t.root.length())));
        });
        cache.start(StartMode.POST_INITIALIZED_EVENT);
        World.until("the first fill", () -> seen.contains(PathChildrenCacheEvent.Type.INITIALIZED.name()));
        World.equal(data(cache.getCurrentData(t.root + "/a")), "1");
        for (int i = 2; i < 5; i++) {
            String value = "" + i;
            writer.setData().forPath(t.root + "/a", World.bytes(value));
            World.until("change " + i, () -> data(cache.getCurrentData(t.root + "/a")).equals(value));
        }
        writer.create().forPath(t.root + "/b", World.bytes("b"));
        World.until("the new child", () -> seen.contains("CHILD_ADDED /b"));
        writer.create().forPath(t.root + "/a/deeper");
        writer.delete().forPath(t.root + "/b");
        World.until("the child's end", () -> seen.contains("CHILD_REMOVED /b"));
        World.equal(seen.stream().filter(event -> event.equals("CHILD_UPDATED /a")).count(), 3L);
        World.equal(cache.getCurrentData().stream().map(ChildData::getPath).toList(), List.of(t.root + "/a"));
    }

    @Case
    static void aCacheOfOneNodeFollowsItThroughItsLife(World t) throws Exception {
        CuratorFramework writer = t.curator();
        NodeCache cache = t.keep(new NodeCache(t.curator(), t.root + "/in/node"));
        List<String> seen = Watches.log();
        cache.getListenable().addListener(() -> seen.add(data(cache.getCurrentData())));
        cache.start(true);
        World.equal(cache.getCurrentData(), null);
        writer.create().creatingParentsIfNeeded().forPath(t.root + "/in/node", World.bytes("1"));
        World.until("its birth", () -> seen.equals(List.of("1")));
        writer.setData().forPath(t.root + "/in/node", World.bytes("2"));
        World.until("its change", () -> seen.equals(List.of("1", "2")));
        writer.delete().forPath(t.root + "/in/node");
        World.until("its end", () -> seen.equals(List.of("1", "2", "none")));
        writer.create().creatingParentsIfNeeded().forPath(t.root + "/in/node", World.bytes("3"));
        World.until("its return: " + seen, () -> seen.equals(List.of("1", "2", "none", "3")));
    }

    @Case
    static void aCacheOfATreeFollowsItsNodesAndItsRoot(World t) throws Exception {
        CuratorFramework writer = t.curator();
        CuratorFramework reader = t.curator();
        writer.create().creatingParentsIfNeeded().forPath(t.root + "/a/b", World.bytes("1"));
        reader.sync().forPath(t.root);
        TreeCache cache = t.keep(new TreeCache(reader, t.root));
        List<String> seen = Watches.log();
        cache.getListenable().addListener((client, event) -> {
            ChildData node = event.getData();
            seen.add(event.getType() + (node == null ? "" : " " + node.getPath().substring(t.root.length())));
        });
        cache.start();
        World.until("the first fill", () -> seen.contains(TreeCacheEvent.Type.INITIALIZED.name()));
        World.equal(data(cache.getCurrentData(t.root + "/a/b")), "1");
        writer.setData().forPath(t.root + "/a/b", World.bytes("2"));
        World.until("the change", () -> data(cache.getCurrentData(t.root + "/a/b")).equals("2"));
        writer.create().creatingParentsIfNeeded().forPath(t.root + "/a/c/d", World.bytes("d"));
        World.until("the new nodes: " + seen, () -> seen.containsAll(List.of("NODE_ADDED /a/c", "NODE_ADDED /a/c/d")));
        World.equal(cache.getCurrentChildren(t.root + "/a").keySet(), java.util.Set.of("b", "c"));
        writer.delete().deletingChildrenIfNeeded().forPath(t.root);
        World.until("the end of all: " + seen, () -> seen.contains("NODE_REMOVED ") && cache.size() == 0);
        writer.create().forPath(t.root, World.bytes("new"));
        World.until("the root again", () -> data(cache.getCurrentData(t.root)).equals("new"));
    }
}
