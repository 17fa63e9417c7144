import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Stat;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/** ZooKeeper's own Java client, without Curator. */
final class PlainClient {
  private static final byte[] X = "x".getBytes();

  static void addTo(Checks checks) {
    checks.add("operations", PlainClient::operations);
    checks.add("acls", PlainClient::acls);
    checks.add("multi", PlainClient::multi);
    checks.add("watches", PlainClient::watches);
    checks.add("sessions", PlainClient::sessions);
    checks.add("chroot", PlainClient::chroot);
  }

  private static void operations(String hosts, String root) throws Exception {
    try (Sessions.Open session = Sessions.open(hosts, 10_000)) {
      ZooKeeper zk = session.zk;
      Stat created = new Stat();
      Checks.expect(zk.create(root, X, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, created), root, "its path");
      Checks.expect(created.getDataLength(), 1, "its length");
      Checks.expect(created.getCzxid(), created.getMzxid(), "its zxids");
      zk.create(root + "/null", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
      Checks.expect(zk.getData(root + "/null", false, null), null, "no data at all");
      zk.create(root + "/e", X, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
      zk.create(root + "/c", X, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER);
      String first = zk.create(root + "/s-", X, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL);
      String second = zk.create(root + "/s-", X, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL);
      Checks.expect(number(second) - number(first), 1, "consecutive numbers");
      Checks.expect(zk.setData(root, "two".getBytes(), 0).getVersion(), 1, "its version");
      Checks.expectError(KeeperException.BadVersionException.class, () -> zk.setData(root, X, 0));
      Checks.expectError(KeeperException.NoNodeException.class, () -> zk.getData(root + "/none", false, null));
      Checks.expectError(KeeperException.NodeExistsException.class,
          () -> zk.create(root, X, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
      Checks.expectError(KeeperException.NoChildrenForEphemeralsException.class,
          () -> zk.create(root + "/e/child", X, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
      Checks.expectError(KeeperException.NotEmptyException.class, () -> {
        zk.delete(root, -1);
        return "deleted";
      });
      Stat stat = new Stat();
      Checks.expect(zk.getChildren(root, false, stat).size(), 5, "children");
      Checks.expect(stat.getNumChildren(), 5, "their number");
      Checks.expect(zk.getAllChildrenNumber(root), 5, "all that is below");
      Checks.expect(new TreeSet<>(zk.getEphemerals(root)), new TreeSet<>(List.of(root + "/e", second)), "ephemerals");
      Checks.expect(zk.exists(root + "/e", false).getEphemeralOwner(), zk.getSessionId(), "the owner");
      Checks.expect(zk.whoAmI().get(0).getAuthScheme(), "ip", "who we are");
      Checks.Seen<Integer> synced = new Checks.Seen<>();
      zk.sync(root, (rc, path, context) -> synced.add(rc), null);
      synced.await(all -> all.equals(List.of(0)), "the sync");
    }
  }

  private static int number(String path) {
    return Integer.parseInt(path.substring(path.length() - 10));
  }

  private static void acls(String hosts, String root) throws Exception {
    try (Sessions.Open owner = Sessions.open(hosts, 10_000); Sessions.Open other = Sessions.open(hosts, 10_000)) {
      owner.zk.addAuthInfo("digest", "user:secret".getBytes());
      owner.zk.create(root, X, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
      List<ACL> acl = owner.zk.getACL(root, new Stat());
      Checks.expect(acl.get(0).getId().getScheme(), "digest", "the scheme");
      Checks.expect(acl.get(0).getId().getId().startsWith("user:"), "the user");
      other.zk.sync(root, (rc, path, context) -> { }, null);
      Checks.expectError(KeeperException.NoAuthException.class, () -> other.zk.getData(root, false, null));
      Checks.expectError(KeeperException.InvalidACLException.class,
          () -> other.zk.create(root + "-own", X, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT));
      List<ACL> readable = new ArrayList<>(Ids.CREATOR_ALL_ACL);
      readable.add(new ACL(ZooDefs.Perms.READ, Ids.ANYONE_ID_UNSAFE));
      Checks.expect(owner.zk.setACL(root, readable, 0).getAversion(), 1, "the ACL's version");
      Checks.eventually(() -> {
        try {
          return new String(other.zk.getData(root, false, null)).equals("x");
        } catch (KeeperException.NoAuthException notYet) {
          return false;
        }
      }, "the right to read");
      Checks.expectError(KeeperException.NoAuthException.class, () -> other.zk.setData(root, X, -1));
      other.zk.addAuthInfo("digest", "user:secret".getBytes());
      other.zk.setData(root, "now".getBytes(), -1);
    }
  }

  private static void multi(String hosts, String root) throws Exception {
    try (Sessions.Open session = Sessions.open(hosts, 10_000)) {
      ZooKeeper zk = session.zk;
      List<OpResult> done = zk.multi(List.of(
          Op.create(root, X, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
          Op.create(root + "/s-", X, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL),
          Op.setData(root, "y".getBytes(), 0),
          Op.check(root, 1)));
      Checks.expect(((OpResult.CreateResult) done.get(0)).getPath(), root, "the path");
      Checks.expect(((OpResult.SetDataResult) done.get(2)).getStat().getVersion(), 1, "the version");
      KeeperException failure = null;
      try {
        zk.multi(List.of(
            Op.create(root + "/half", X, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.check(root, 7),
            Op.delete(root + "/none", -1)));
      } catch (KeeperException error) {
        failure = error;
      }
      Checks.expect(failure != null && failure.code() == Code.BADVERSION, "a failed check fails the whole");
      List<Code> codes = new ArrayList<>();
      for (OpResult result : failure.getResults()) codes.add(Code.get(((OpResult.ErrorResult) result).getErr()));
      Checks.expect(codes, List.of(Code.OK, Code.BADVERSION, Code.RUNTIMEINCONSISTENCY), "its parts");
      Checks.expect(zk.exists(root + "/half", false), null, "half a transaction");
      List<OpResult> read = zk.multi(List.of(Op.getData(root), Op.getChildren(root), Op.getData(root + "/none")));
      Checks.expect(new String(((OpResult.GetDataResult) read.get(0)).getData()), "y", "data");
      Checks.expect(((OpResult.GetChildrenResult) read.get(1)).getChildren().size(), 1, "children");
      Checks.expect(((OpResult.ErrorResult) read.get(2)).getErr(), Code.NONODE.intValue(), "a read that failed");
    }
  }

  private static void watches(String hosts, String root) throws Exception {
    try (Sessions.Open session = Sessions.open(hosts, 10_000);
        Sessions.Open writer = Sessions.open(Checks.from(hosts, 1), 10_000)) {
      Checks.Seen<String> seen = new Checks.Seen<>();
      Watcher watcher = event -> seen.add(event.getType() + " " + event.getPath());
      ZooKeeper zk = session.zk;
      Checks.expect(zk.exists(root, watcher), null, "a node that is not there yet");
      writer.zk.create(root, X, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
      seen.await(all -> all.equals(List.of("NodeCreated " + root)), "its creation");
      zk.getData(root, watcher, null);
      zk.getChildren(root, watcher);
      writer.zk.create(root + "/a", X, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
      writer.zk.setData(root, X, -1);
      seen.await(all -> all.size() == 3, "a child and new data");
      Checks.expect(seen.items.subList(1, 3), List.of("NodeChildrenChanged " + root, "NodeDataChanged " + root), "both");
      // One shot: nothing more comes of these, until they are set anew.
      Checks.Seen<String> always = new Checks.Seen<>();
      Watcher recursive = event -> always.add(event.getType() + " " + event.getPath());
      zk.addWatch(root, recursive, AddWatchMode.PERSISTENT_RECURSIVE);
      writer.zk.setData(root + "/a", X, -1);
      writer.zk.create(root + "/a/b", X, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
      writer.zk.delete(root + "/a/b", -1);
      always.await(all -> all.equals(List.of("NodeDataChanged " + root + "/a", "NodeCreated " + root + "/a/b",
          "NodeDeleted " + root + "/a/b")), "all that happens below");
      zk.removeWatches(root, recursive, Watcher.WatcherType.Any, false);
      always.await(all -> all.size() == 4 && all.get(3).equals("PersistentWatchRemoved " + root), "its removal");
      Checks.expectError(KeeperException.NoWatcherException.class, () -> {
        zk.removeWatches(root, recursive, Watcher.WatcherType.Any, false);
        return "removed twice";
      });
      Checks.expect(seen.items.size(), 3, "one-shot events");
    }
  }

  private static void sessions(String hosts, String root) throws Exception {
    Sessions.Open first = Sessions.open(hosts, 10_000);
    first.zk.create(root, X, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
    Sessions.Open watching = Sessions.open(Checks.from(hosts, 1), 10_000);
    Checks.Seen<String> seen = new Checks.Seen<>();
    watching.zk.sync(root, (rc, path, context) -> { }, null);
    Checks.expect(watching.zk.exists(root, event -> seen.add(event.getType().name())) != null, "the ephemeral node");
    // Another handle takes the session over and ends it: the first one learns that it has expired.
    Sessions.Open second = Sessions.again(Checks.from(hosts, 2), first);
    Checks.expect(second.zk.getSessionId(), first.zk.getSessionId(), "the session");
    Checks.expect(second.zk.exists(root, false).getEphemeralOwner(), first.zk.getSessionId(), "the owner");
    second.close();
    first.awaitState(KeeperState.Expired);
    seen.await(all -> all.equals(List.of("NodeDeleted")), "the end of what was the session's");
    Checks.expectError(KeeperException.SessionExpiredException.class, () -> first.zk.exists(root, false));
    watching.close();
  }

  private static void chroot(String hosts, String root) throws Exception {
    try (Sessions.Open plain = Sessions.open(hosts, 10_000)) {
      plain.zk.create(root, X, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
      try (Sessions.Open inside = Sessions.open(hosts + root, 10_000)) {
        inside.zk.sync("/", (rc, path, context) -> { }, null);
        Checks.expect(inside.zk.create("/a-", X, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL),
            "/a-0000000000", "a path inside");
        Checks.expect(inside.zk.getChildren("/", false), List.of("a-0000000000"), "children inside");
      }
      plain.zk.sync(root, (rc, path, context) -> { }, null);
      Checks.expect(plain.zk.getChildren(root, false), List.of("a-0000000000"), "children outside");
    }
  }
}
