import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Comparator;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * The Java clients (ZooKeeper's own, its shell, Curator) against running servers: `Main HOSTS [CASE]`.
 *
 * Every class in CLASSES holds static methods marked @Case; each runs in a thread of its own with a limit on time and
 * is reported as `ok NAME` or `FAIL NAME: why`. Exit code 1 when any failed.
 */
final class Main {
    private static final Class<?>[] CLASSES = {
        Operations.class, Errors.class, Multis.class, Watches.class, PersistentWatches.class, Acls.class,
        Special.class, Shell.class, Sessions.class, Recipes.class, CuratorLocks.class, CuratorData.class,
        CuratorCaches.class, CuratorDiscovery.class, CuratorMembers.class,
    };
    private static final long CASE_SECONDS = 45;

    public static void main(String[] args) {
        String only = args.length > 1 ? args[1] : "";
        int ran = 0;
        int failed = 0;
        for (Class<?> type : CLASSES) {
            Method[] methods = type.getDeclaredMethods();
            Arrays.sort(methods, Comparator.comparing(Method::getName));
            for (Method method : methods) {
                String name = type.getSimpleName() + "." + method.getName();
                if (method.isAnnotationPresent(Case.class) && name.contains(only)) {
                    ran++;
                    failed += run(method, name, args[0]) ? 0 : 1;
                }
            }
        }
        Runtime.getRuntime().halt(ran > 0 && failed == 0 ? 0 : 1);
    }

    private static boolean run(Method method, String name, String hosts) {
        World world = new World(hosts, "/java-" + name);
        FutureTask<Void> task = new FutureTask<>(() -> {
            method.setAccessible(true);
            method.invoke(null, world);
            return null;
        });
        Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        long began = System.nanoTime();
        thread.start();
        String why = null;
        try {
            task.get(CASE_SECONDS, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            StackTraceElement[] at = thread.getStackTrace();
            why = "no end within " + CASE_SECONDS + " s" + where(at);
        } catch (Exception e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            cause = cause instanceof InvocationTargetException ? cause.getCause() : cause;
            why = cause + where(cause.getStackTrace());
        }
        world.close();
        if (why != null) {
            revive();
        }
        long millis = (System.nanoTime() - began) / 1_000_000;
        System.out.println(why == null ? "ok " + name + " " + millis + " ms" : "FAIL " + name + ": " + why.replace('\n', ' '));
        System.out.flush();
        return why == null;
    }

    /** A case that failed may have left members dead. */
    private static void revive() {
        try {
            World.control("revive");
        } catch (Exception | AssertionError e) {
            System.out.println("the members are not revived: " + e);
        }
    }

    /** The line of ours that stood on the stack. */
    private static String where(StackTraceElement[] stack) {
        return Arrays.stream(stack)
            .filter(frame -> !frame.getClassName().contains(".") && !frame.getClassName().equals("World"))
            .findFirst()
            .map(frame -> " at " + frame.getFileName() + ":" + frame.getLineNumber())
            .orElse("");
    }
}
