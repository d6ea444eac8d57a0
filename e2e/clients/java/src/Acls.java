import java.util.List;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.ClientInfo;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.server.auth.DigestAuthenticationProvider;

/** Who may do what: digest, auth, ip, world, the super user, and what each permission covers. */
final class Acls {
    private static ACL digest(int perms, String userAndPassword) throws Exception {
        return new ACL(perms, new Id("digest", DigestAuthenticationProvider.generateDigest(userAndPassword)));
    }

    private static Object delete(ZooKeeper zk, String path) throws Exception {
        zk.delete(path, -1);
        return "deleted";
    }

    @Case
    static void eachPermissionCoversItsOwnOperations(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        ZooKeeper user = t.client();
        user.addAuthInfo("digest", World.bytes("u:p"));
        for (int perm : List.of(Perms.READ, Perms.WRITE, Perms.CREATE, Perms.DELETE, Perms.ADMIN)) {
            String path = t.root + "/p" + perm;
            zk.create(path, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            zk.create(path + "/old", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            zk.setACL(path, World.acls(digest(perm, "u:p")), -1);
            World.sync(user);
            expect(perm == Perms.READ, () -> user.getData(path, false, null));
            expect(perm == Perms.READ, () -> user.getChildren(path, false));
            expect(perm == Perms.WRITE, () -> user.setData(path, null, -1));
            expect(perm == Perms.CREATE, () ->
                user.create(path + "/new", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
            expect(perm == Perms.DELETE, () -> delete(user, path + "/old"));
            expect(perm == Perms.READ || perm == Perms.ADMIN, () -> user.getACL(path, null));
            expect(perm == Perms.ADMIN, () -> user.setACL(path, World.acls(digest(perm, "u:p")), -1));
        }
    }

    private static void expect(boolean allowed, java.util.concurrent.Callable<?> action) throws Exception {
        if (allowed) {
            action.call();
        } else {
            World.fails(Code.NOAUTH, action);
        }
    }

    @Case
    static void authStandsForAllIdentitiesOfTheSession(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        zk.addAuthInfo("digest", World.bytes("one:1"));
        zk.addAuthInfo("digest", World.bytes("two:2"));
        String path = zk.create(t.root + "/a", null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        Stat stat = new Stat();
        List<String> ids = zk.getACL(path, stat).stream().map(acl -> acl.getId().getId()).sorted().toList();
        World.equal(ids, List.of(DigestAuthenticationProvider.generateDigest("one:1"),
            DigestAuthenticationProvider.generateDigest("two:2")));
        World.equal(stat, zk.exists(path, false));
    }

    @Case
    static void digestsAreHiddenFromWhomMayOnlyRead(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        zk.addAuthInfo("digest", World.bytes("u:p"));
        List<ACL> acls = World.acls(digest(Perms.ALL, "u:p"), new ACL(Perms.READ, Ids.ANYONE_ID_UNSAFE));
        zk.create(t.root + "/a", null, acls, CreateMode.PERSISTENT);
        ZooKeeper stranger = t.client();
        World.sync(stranger);
        List<String> shown = stranger.getACL(t.root + "/a", null).stream().map(a -> a.getId().toString()).toList();
        World.equal(shown.get(0), new Id("digest", "u:x").toString());
        World.equal(zk.getACL(t.root + "/a", null), acls);
    }

    @Case
    static void addressesAreMatchedWithTheirMask(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        List<ACL> near = World.acls(new ACL(Perms.ALL, new Id("ip", "127.0.0.0/8")));
        List<ACL> far = World.acls(new ACL(Perms.ALL, new Id("ip", "10.1.2.3")));
        zk.create(t.root + "/near", null, near, CreateMode.PERSISTENT);
        zk.create(t.root + "/far", null, far, CreateMode.PERSISTENT);
        World.equal(zk.setData(t.root + "/near", null, -1).getVersion(), 1);
        World.fails(Code.NOAUTH, () -> zk.getData(t.root + "/far", false, null));
        World.fails(Code.NOAUTH, () -> zk.multi(List.of(Op.setData(t.root + "/near", null, -1),
            Op.setData(t.root + "/far", null, -1))));
        World.equal(zk.exists(t.root + "/near", false).getVersion(), 1);
    }

    @Case
    static void theSuperUserMayAll(World t) throws Exception {
        ZooKeeper zk = t.rooted();
        zk.create(t.root + "/shut", null, World.acls(digest(Perms.ALL, "x:y")), CreateMode.PERSISTENT);
        World.fails(Code.NOAUTH, () -> zk.getData(t.root + "/shut", false, null));
        zk.addAuthInfo("digest", World.bytes("super:test"));
        zk.setData(t.root + "/shut", World.bytes("1"), -1);
        zk.setACL(t.root + "/shut", Ids.OPEN_ACL_UNSAFE, -1);
    }

    @Case
    static void aFailedAuthenticationEndsTheSessionOfTheClient(World t) throws Exception {
        List<String> states = Watches.log();
        ZooKeeper zk = t.client(t.hosts, 8000, event -> states.add(event.getState().name()));
        zk.addAuthInfo("nosuchscheme", World.bytes("x"));
        World.until("AuthFailed", () -> states.contains(KeeperState.AuthFailed.name()));
        World.equal(zk.getState(), ZooKeeper.States.AUTH_FAILED);
        World.fails(Code.AUTHFAILED, () -> zk.exists("/", false));
    }

    @Case
    static void whoAmIListsAddressAndNames(World t) throws Exception {
        ZooKeeper zk = t.client();
        zk.addAuthInfo("digest", World.bytes("me:secret"));
        List<String> who = zk.whoAmI().stream().map(ClientInfo::getAuthScheme).sorted().toList();
        World.equal(who, List.of("digest", "ip"));
        World.isTrue(zk.whoAmI().stream().anyMatch(info -> info.getUser().equals("me")), "the user is named");
        World.isTrue(zk.whoAmI().stream().anyMatch(info -> info.getUser().equals("127.0.0.1")), "the address is named");
    }
}
