import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** What Kafka's brokers do: ids, a controller with an epoch that fences writes, many requests in flight, notifications. */
final class KafkaLike {
  private static final int PIPELINED = 2000;

  static void addTo(Checks checks) {
    checks.add("brokers", KafkaLike::brokers);
    checks.add("controller", KafkaLike::controller);
    checks.add("pipelining", KafkaLike::pipelining);
    checks.add("notifications", KafkaLike::notifications);
  }

  private static byte[] bytes(Object value) {
    return String.valueOf(value).getBytes();
  }

  private static void make(ZooKeeper zk, String... paths) throws Exception {
    for (String path : paths) zk.create(path, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
  }

  /** Brokers register in one transaction, and see one another come and go. */
  private static void brokers(String hosts, String root) throws Exception {
    List<Sessions.Open> brokers = new ArrayList<>();
    for (int i = 0; i < 3; i++) brokers.add(Sessions.open(Checks.from(hosts, i), 10_000));
    make(brokers.get(0).zk, root, root + "/brokers", root + "/brokers/ids", root + "/brokers/seqid");
    for (Sessions.Open broker : brokers) {
      // The generated id is the version of a node that is written for nothing else.
      broker.zk.sync(root, (rc, path, context) -> { }, null);
      int id = broker.zk.setData(root + "/brokers/seqid", null, -1).getVersion();
      List<OpResult> results = broker.zk.multi(List.of(
          Op.check(root + "/brokers/ids", -1),
          Op.create(root + "/brokers/ids/" + id, bytes("host" + id), Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL)));
      Checks.expect(((OpResult.CreateResult) results.get(1)).getPath(), root + "/brokers/ids/" + id, "the id's path");
    }
    ZooKeeper last = brokers.get(2).zk;
    Checks.Seen<String> seen = new Checks.Seen<>();
    List<String> ids = new ArrayList<>(last.getChildren(root + "/brokers/ids", event -> seen.add(event.getPath())));
    ids.sort(null);
    Checks.expect(ids, List.of("1", "2", "3"), "brokers");
    brokers.get(0).close();
    seen.await(all -> all.equals(List.of(root + "/brokers/ids")), "a broker's leaving");
    Checks.expect(last.getChildren(root + "/brokers/ids", false).size(), 2, "brokers left");
    brokers.get(1).close();
    brokers.get(2).close();
  }

  /** The controller's epoch goes up with it, and a check of its version in every multi fences the one before. */
  private static void controller(String hosts, String root) throws Exception {
    Sessions.Open old = Sessions.open(hosts, 10_000);
    Sessions.Open next = Sessions.open(Checks.from(hosts, 1), 10_000);
    make(old.zk, root, root + "/controller_epoch", root + "/topics");
    int oldEpoch = elect(old.zk, root, 1);
    next.zk.sync(root, (rc, path, context) -> { }, null);
    Checks.expectError(KeeperException.NodeExistsException.class, () -> elect(next.zk, root, 2));
    Checks.Seen<String> seen = new Checks.Seen<>();
    next.zk.exists(root + "/controller", event -> seen.add(event.getType().name()));
    old.zk.delete(root + "/controller", -1);
    seen.await(all -> all.equals(List.of("NodeDeleted")), "the controller to resign");
    int newEpoch = elect(next.zk, root, 2);
    Checks.expect(newEpoch, oldEpoch + 1, "the epoch");
    Checks.expectError(KeeperException.BadVersionException.class, () -> old.zk.multi(List.of(
        Op.check(root + "/controller_epoch", oldEpoch),
        Op.create(root + "/topics/late", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT))));
    next.zk.multi(List.of(
        Op.check(root + "/controller_epoch", newEpoch),
        Op.create(root + "/topics/t", bytes("{\"partitions\":{\"0\":[1,2]}}"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT)));
    Checks.expect(next.zk.getChildren(root + "/topics", false), List.of("t"), "topics");
    old.close();
    next.close();
  }

  private static int elect(ZooKeeper zk, String root, int id) throws Exception {
    Stat epoch = new Stat();
    zk.getData(root + "/controller_epoch", false, epoch);
    List<OpResult> results = zk.multi(List.of(
        Op.create(root + "/controller", bytes(id), Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL),
        Op.setData(root + "/controller_epoch", bytes(epoch.getVersion() + 1), epoch.getVersion())));
    return ((OpResult.SetDataResult) results.get(1)).getStat().getVersion();
  }

  /** Requests of every kind in flight at once: answered in the order in which they were sent. */
  private static void pipelining(String hosts, String root) throws Exception {
    try (Sessions.Open session = Sessions.open(hosts, 10_000)) {
      ZooKeeper zk = session.zk;
      make(zk, root);
      CountDownLatch answered = new CountDownLatch(PIPELINED);
      AtomicInteger next = new AtomicInteger();
      AtomicInteger wrong = new AtomicInteger();
      for (int i = 0; i < PIPELINED; i++) {
        int number = i;
        String path = root + "/p" + i / 4;
        switch (i % 4) {
          case 0 -> zk.create(path, bytes(number), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT,
              (rc, asked, context, name) -> note(rc, number, next, wrong, answered), null);
          case 1 -> zk.setData(path, bytes(number), 0,
              (rc, asked, context, stat) -> note(rc, number, next, wrong, answered), null);
          case 2 -> zk.getData(path, false, (rc, asked, context, data, stat) -> {
            // A session reads what it has written before.
            boolean own = rc == 0 && new String(data).equals("" + (number - 1));
            note(own ? 0 : Code.DATAINCONSISTENCY.intValue(), number, next, wrong, answered);
          }, null);
          default -> zk.multi(List.of(Op.check(path, 1), Op.setData(path, bytes(-1), 1)),
              (rc, asked, context, results) -> note(rc, number, next, wrong, answered), null);
        }
      }
      Checks.expect(answered.await(Checks.WAIT_MS, TimeUnit.MILLISECONDS), "an answer to each");
      Checks.expect(wrong.get(), 0, "answers out of order, or errors");
    }
  }

  private static void note(int rc, int number, AtomicInteger next, AtomicInteger wrong, CountDownLatch answered) {
    if (rc != 0 || next.getAndIncrement() != number) wrong.incrementAndGet();
    answered.countDown();
  }

  /** Sequential nodes as messages: whoever watches the parent misses none of them. */
  private static void notifications(String hosts, String root) throws Exception {
    int count = 200;
    try (Sessions.Open writer = Sessions.open(hosts, 10_000);
        Sessions.Open reader = Sessions.open(Checks.from(hosts, 1), 10_000)) {
      make(writer.zk, root);
      reader.zk.sync(root, (rc, path, context) -> { }, null);
      Checks.Seen<Integer> seen = new Checks.Seen<>();
      follow(reader.zk, root, seen);
      for (int i = 0; i < count; i++) {
        writer.zk.create(root + "/change_", bytes(i), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL,
            (rc, asked, context, name) -> {
              if (rc != 0) seen.add(rc);
            }, null);
      }
      seen.await(all -> !all.isEmpty() && all.get(all.size() - 1) == count, "every change");
      for (int i = 1; i < seen.items.size(); i++) {
        Checks.expect(seen.items.get(i) >= seen.items.get(i - 1), "children never get fewer: " + seen.items);
      }
    }
  }

  private static void follow(ZooKeeper zk, String root, Checks.Seen<Integer> seen) {
    zk.getChildren(root, event -> follow(zk, root, seen), (rc, path, context, children) -> {
      seen.add(rc == 0 ? children.size() : rc);
    }, null);
  }
}
