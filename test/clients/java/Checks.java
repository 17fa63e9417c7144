import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Predicate;

/** What the checks share: they run one after another, and the first that fails ends the program with exit code 1. */
final class Checks {
  static final int WAIT_MS = 30_000;

  interface Check {
    void run(String hosts, String root) throws Exception;
  }

  private final Map<String, Check> all = new LinkedHashMap<>();

  /** Threads of contenders; none of them keeps the program alive. */
  static final ExecutorService THREADS = Executors.newCachedThreadPool(work -> {
    Thread thread = new Thread(work);
    thread.setDaemon(true);
    return thread;
  });

  void add(String name, Check check) {
    all.put(name, check);
  }

  void run(String hosts, List<String> names) {
    String run = "/java-" + ProcessHandle.current().pid() + "-" + System.currentTimeMillis();
    for (Map.Entry<String, Check> entry : all.entrySet()) {
      if (!names.isEmpty() && !names.contains(entry.getKey())) continue;
      long began = System.nanoTime();
      try {
        entry.getValue().run(hosts, run + "-" + entry.getKey());
      } catch (Throwable error) {
        System.err.println("FAILED " + entry.getKey());
        error.printStackTrace();
        System.exit(1);
      }
      System.out.println(entry.getKey() + " " + (System.nanoTime() - began) / 1_000_000 + " ms");
    }
    System.exit(0);
  }

  static void expect(Object actual, Object wanted, String what) {
    if (!Objects.equals(actual, wanted)) throw new AssertionError(what + ": " + actual + ", wanted " + wanted);
  }

  static void expect(boolean holds, String what) {
    if (!holds) throw new AssertionError(what);
  }

  /** The call must fail with this error. */
  static void expectError(Class<? extends Exception> wanted, Callable<?> call) throws Exception {
    Object result;
    try {
      result = call.call();
    } catch (Exception error) {
      if (wanted.isInstance(error)) return;
      throw error;
    }
    throw new AssertionError("wanted " + wanted.getSimpleName() + ", got " + result);
  }

  /** The servers, beginning with the given one: every client of a check is on a server of its own, as far as there are. */
  static String from(String hosts, int number) {
    String[] servers = hosts.split(",");
    StringBuilder turned = new StringBuilder();
    for (int i = 0; i < servers.length; i++) {
      if (i > 0) turned.append(',');
      turned.append(servers[(number + i) % servers.length]);
    }
    return turned.toString();
  }

  /** Collects what comes from other threads, in its order, until it is as wanted. */
  static final class Seen<T> {
    final List<T> items = new CopyOnWriteArrayList<>();

    synchronized void add(T item) {
      items.add(item);
      notifyAll();
    }

    synchronized void await(Predicate<List<T>> wanted, String what) throws InterruptedException {
      long until = System.currentTimeMillis() + WAIT_MS;
      while (!wanted.test(items)) {
        long left = until - System.currentTimeMillis();
        if (left <= 0) throw new AssertionError("waited for " + what + "; there is " + items);
        wait(left);
      }
    }
  }

  /** Asks again, for states that announce themselves in no other way. */
  static void eventually(Callable<Boolean> holds, String what) throws Exception {
    long until = System.currentTimeMillis() + WAIT_MS;
    while (!holds.call()) {
      if (System.currentTimeMillis() > until) throw new AssertionError("waited for " + what);
      Thread.sleep(10);
    }
  }
}
