import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.data.Stat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/**
 * Curator's persistent watcher on a whole tree: Watching host:port,... root end. When the znode `end` is there, one line of
 * JSON tells how the connection changed, how often the watch was set, and which events were not told once.
 */
public final class Watching {
  private final Map<String, Integer> counts = new ConcurrentHashMap<>();
  private final List<String> wrong = new ArrayList<>();
  private int events;

  public static void main(String[] args) throws Exception {
    new Watching().run(args[0], args[1], args[2]);
  }

  private void run(String hosts, String root, String end) throws Exception {
    List<String> states = new CopyOnWriteArrayList<>();
    try (Curators clients = new Curators(hosts, 1, (one, state) -> states.add(state.name()))) {
      CuratorFramework client = clients.get(0);
      List<String> resets = new CopyOnWriteArrayList<>();
      CountDownLatch isSet = new CountDownLatch(1);
      try (PersistentWatcher watcher = new PersistentWatcher(client, root, true)) {
        watcher.getResetListenable().addListener(() -> {
          resets.add(root);
          isSet.countDown();
        });
        watcher.getListenable().addListener(event -> {
          if (event.getType() != EventType.None) counts.merge(event.getType() + " " + event.getPath(), 1, Integer::sum);
        });
        watcher.start();
        Checks.expect(isSet.await(Checks.WAIT_MS, TimeUnit.MILLISECONDS), "the watch was not set");
        System.out.println("watching");
        while (!isThere(client, end)) Thread.sleep(100);
        // What was to be told before the answer has been told by then, on the thread that tells the answer.
        CountDownLatch isSynced = new CountDownLatch(1);
        client.getZookeeperClient().getZooKeeper().sync(root, (code, path, context) -> isSynced.countDown(), null);
        Checks.expect(isSynced.await(Checks.WAIT_MS, TimeUnit.MILLISECONDS), "no sync");
        compare(client, root);
        String said = "{\"events\":%d,\"resets\":%d,\"states\":[%s],\"violations\":[%s]}";
        System.out.println(String.format(said, events, resets.size(), quoted(states), quoted(wrong)));
      }
    }
  }

  /** A connection that is lost is among the states that are told in the end; until then it may come back. */
  private static boolean isThere(CuratorFramework client, String path) throws Exception {
    try {
      return client.checkExists().forPath(path) != null;
    } catch (KeeperException.ConnectionLossException | KeeperException.SessionExpiredException lost) {
      return false;
    }
  }

  private void compare(CuratorFramework client, String path) throws Exception {
    Stat stat = client.checkExists().forPath(path);
    expect(path, EventType.NodeCreated, 1);
    expect(path, EventType.NodeDataChanged, stat.getVersion());
    if (stat.getNumChildren() == 0) return;
    for (String child : client.getChildren().forPath(path)) {
      if (path.endsWith("/seq")) compareUnwritten(path + "/" + child);
      else compare(client, path + "/" + child);
    }
  }

  /** Sequential znodes are many, and stay as they were created: there is nothing to be asked about them. */
  private void compareUnwritten(String path) {
    expect(path, EventType.NodeCreated, 1);
    expect(path, EventType.NodeDataChanged, 0);
  }

  private void expect(String path, EventType type, int wanted) {
    int count = counts.getOrDefault(type + " " + path, 0);
    events += count;
    if (count != wanted && wrong.size() < 10) wrong.add(count + " of " + wanted + " times " + type + " of " + path);
  }

  private static String quoted(List<String> texts) {
    return texts.stream().map(text -> '"' + text + '"').collect(Collectors.joining(","));
  }
}
