import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.cache.ChildData;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.cache.NodeCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCache;
import org.apache.curator.framework.recipes.cache.TreeCache;
import org.apache.curator.framework.recipes.cache.TreeCacheEvent;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.shared.SharedCountListener;
import org.apache.curator.framework.recipes.shared.SharedCountReader;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.Watcher;

import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;

/** Curator's caches and what else lives on watches: each sees at its own server what is done at another one. */
@SuppressWarnings("deprecation")
final class CuratorCaches {
  static void addTo(Checks checks) {
    checks.add("curator-cache", CuratorCaches::curatorCache);
    checks.add("node-cache", CuratorCaches::nodeCache);
    checks.add("path-children-cache", CuratorCaches::pathChildrenCache);
    checks.add("tree-cache", CuratorCaches::treeCache);
    checks.add("persistent-watcher", CuratorCaches::persistentWatcher);
    checks.add("persistent-node", CuratorCaches::persistentNode);
    checks.add("group-member", CuratorCaches::groupMember);
    checks.add("shared-count", CuratorCaches::sharedCount);
    checks.add("curator-api", CuratorCaches::curatorApi);
  }

  private static String text(ChildData node) {
    return node == null ? "none" : node.getPath() + "=" + new String(node.getData());
  }

  private static void curatorCache(String hosts, String root) throws Exception {
    try (Curators clients = new Curators(hosts, 2)) {
      CuratorFramework writer = clients.get(0);
      writer.create().forPath(root, "0".getBytes());
      writer.create().forPath(root + "/before", "b".getBytes());
      clients.sync(1, root);
      Checks.Seen<String> seen = new Checks.Seen<>();
      try (CuratorCache cache = CuratorCache.build(clients.get(1), root)) {
        cache.listenable().addListener(CuratorCacheListener.builder()
            .forCreates(node -> seen.add("+" + text(node)))
            .forChanges((before, after) -> seen.add(text(before) + ">" + text(after)))
            .forDeletes(node -> seen.add("-" + text(node)))
            .forInitialized(() -> seen.add("ready"))
            .build());
        cache.start();
        seen.await(all -> all.contains("ready"), "the cache to be filled");
        Checks.expect(new TreeSet<>(seen.items),
            new TreeSet<>(List.of("+" + root + "=0", "+" + root + "/before=b", "ready")), "what was there");
        seen.items.clear();
        writer.create().forPath(root + "/a", "1".getBytes());
        seen.await(all -> all.equals(List.of("+" + root + "/a=1")), "a node created");
        writer.create().forPath(root + "/a/b", "2".getBytes());
        writer.setData().forPath(root + "/a", "3".getBytes());
        seen.await(all -> all.size() == 3 && all.contains("+" + root + "/a/b=2")
            && all.contains(root + "/a=1>" + root + "/a=3"), "a change, and a node two levels down");
        writer.delete().deletingChildrenIfNeeded().forPath(root + "/a");
        seen.await(all -> all.size() == 5 && all.contains("-" + root + "/a/b=2") && all.contains("-" + root + "/a=3"),
            "the nodes deleted");
        for (int i = 0; i < 100; i++) writer.create().forPath(root + "/n" + i, ("" + i).getBytes());
        Checks.eventually(() -> cache.stream().count() == 102, "a hundred nodes more");
      }
    }
  }

  private static void nodeCache(String hosts, String root) throws Exception {
    try (Curators clients = new Curators(hosts, 2); NodeCache cache = new NodeCache(clients.get(1), root)) {
      Checks.Seen<String> seen = new Checks.Seen<>();
      cache.getListenable().addListener(() -> seen.add(text(cache.getCurrentData())));
      cache.start(true);
      clients.get(0).create().forPath(root, "1".getBytes());
      seen.await(all -> all.contains(root + "=1"), "the node");
      clients.get(0).setData().forPath(root, "2".getBytes());
      seen.await(all -> all.contains(root + "=2"), "its change");
      clients.get(0).delete().forPath(root);
      seen.await(all -> all.contains("none"), "its end");
    }
  }

  private static void pathChildrenCache(String hosts, String root) throws Exception {
    try (Curators clients = new Curators(hosts, 2);
        PathChildrenCache cache = new PathChildrenCache(clients.get(1), root, true)) {
      CuratorFramework writer = clients.get(0);
      writer.create().forPath(root);
      writer.create().forPath(root + "/one", "1".getBytes());
      clients.sync(1, root);
      Checks.Seen<String> seen = new Checks.Seen<>();
      cache.getListenable().addListener((client, event) -> seen.add(event.getType() + " " + text(event.getData())));
      cache.start(PathChildrenCache.StartMode.POST_INITIALIZED_EVENT);
      seen.await(all -> all.equals(List.of("CHILD_ADDED " + root + "/one=1", "INITIALIZED none")), "the first child");
      writer.create().withMode(CreateMode.EPHEMERAL).forPath(root + "/two", "2".getBytes());
      seen.await(all -> all.contains("CHILD_ADDED " + root + "/two=2"), "a child more");
      writer.setData().forPath(root + "/one", "3".getBytes());
      seen.await(all -> all.contains("CHILD_UPDATED " + root + "/one=3"), "a child's change");
      writer.close();
      seen.await(all -> all.contains("CHILD_REMOVED " + root + "/two=2"), "the end of the writer's ephemeral child");
      Checks.expect(seen.items.size(), 5, "events");
    }
  }

  private static void treeCache(String hosts, String root) throws Exception {
    try (Curators clients = new Curators(hosts, 2); TreeCache cache = new TreeCache(clients.get(1), root)) {
      CuratorFramework writer = clients.get(0);
      writer.create().creatingParentsIfNeeded().forPath(root + "/a/b", "1".getBytes());
      clients.sync(1, root);
      Checks.Seen<TreeCacheEvent.Type> seen = new Checks.Seen<>();
      cache.getListenable().addListener((client, event) -> seen.add(event.getType()));
      cache.start();
      seen.await(all -> all.contains(TreeCacheEvent.Type.INITIALIZED), "the tree");
      Checks.expect(text(cache.getCurrentData(root + "/a/b")), root + "/a/b=1", "what was there");
      writer.create().forPath(root + "/a/c", "2".getBytes());
      writer.setData().forPath(root + "/a/b", "3".getBytes());
      Checks.eventually(() -> text(cache.getCurrentData(root + "/a/c")).endsWith("=2"), "a node more");
      Checks.eventually(() -> text(cache.getCurrentData(root + "/a/b")).endsWith("=3"), "a change");
      writer.delete().deletingChildrenIfNeeded().forPath(root);
      Checks.eventually(() -> cache.getCurrentData(root) == null, "the end of the tree");
    }
  }

  private static void persistentWatcher(String hosts, String root) throws Exception {
    try (Curators clients = new Curators(hosts, 2)) {
      PersistentWatcher watcher = new PersistentWatcher(clients.get(1), root, true);
      Checks.Seen<String> seen = new Checks.Seen<>();
      watcher.getListenable().addListener(event -> seen.add(event.getType() + " " + event.getPath()));
      watcher.start();
      Checks.eventually(() -> {
        // The watch is set in the background: the first event tells that it stands.
        clients.get(0).createContainers(root);
        clients.get(0).setData().forPath(root, "x".getBytes());
        return seen.items.contains("NodeDataChanged " + root);
      }, "the watch to stand");
      clients.get(0).create().forPath(root + "/a");
      clients.get(0).create().forPath(root + "/a/b");
      clients.get(0).delete().forPath(root + "/a/b");
      List<String> wanted = List.of("NodeCreated " + root + "/a", "NodeCreated " + root + "/a/b",
          "NodeDeleted " + root + "/a/b");
      seen.await(all -> all.size() >= 3 && all.subList(all.size() - 3, all.size()).equals(wanted), "what is below");
      watcher.close();
    }
  }

  private static void persistentNode(String hosts, String root) throws Exception {
    try (Curators clients = new Curators(hosts, 2);
        PersistentNode node =
            new PersistentNode(clients.get(0), CreateMode.EPHEMERAL, false, root, "mine".getBytes())) {
      node.start();
      Checks.expect(node.waitForInitialCreate(Checks.WAIT_MS, TimeUnit.MILLISECONDS), "the node");
      // Whoever deletes it sees it come back.
      clients.sync(1, root);
      long before = clients.get(1).checkExists().forPath(root).getCzxid();
      clients.get(1).delete().forPath(root);
      Checks.eventually(() -> {
        clients.sync(1, root);
        var stat = clients.get(1).checkExists().forPath(root);
        return stat != null && stat.getCzxid() > before;
      }, "the node again");
    }
  }

  private static void groupMember(String hosts, String root) throws Exception {
    try (Curators clients = new Curators(hosts, 3)) {
      GroupMember[] members = new GroupMember[3];
      for (int i = 0; i < 3; i++) {
        members[i] = new GroupMember(clients.get(i), root, "member-" + i, ("at " + i).getBytes());
        members[i].start();
      }
      for (GroupMember one : members) {
        Checks.eventually(() -> new TreeMap<>(one.getCurrentMembers()).keySet()
            .equals(new TreeSet<>(List.of("member-0", "member-1", "member-2"))), "three members");
      }
      members[1].close();
      Checks.eventually(() -> members[0].getCurrentMembers().size() == 2, "two members");
      members[0].close();
      members[2].close();
    }
  }

  private static void sharedCount(String hosts, String root) throws Exception {
    try (Curators clients = new Curators(hosts, 2);
        SharedCount first = new SharedCount(clients.get(0), root, 1);
        SharedCount second = new SharedCount(clients.get(1), root, 1)) {
      Checks.Seen<Integer> seen = new Checks.Seen<>();
      second.addListener(new SharedCountListener() {
        @Override
        public void countHasChanged(SharedCountReader count, int value) {
          seen.add(value);
        }

        @Override
        public void stateChanged(CuratorFramework client, ConnectionState state) {
          if (!state.isConnected()) seen.add(-1);
        }
      });
      first.start();
      second.start();
      first.setCount(7);
      seen.await(all -> all.contains(7), "the new count");
      Checks.expect(second.trySetCount(second.getVersionedValue(), 8), "a count set on top of the newest");
      Checks.expect(!first.trySetCount(first.getVersionedValue(), 9) || first.getCount() == 9, "a count or none");
    }
  }

  private static void curatorApi(String hosts, String root) throws Exception {
    try (Curators clients = new Curators(hosts, 1)) {
      CuratorFramework client = clients.get(0);
      Checks.Seen<String> seen = new Checks.Seen<>();
      client.create().creatingParentContainersIfNeeded().forPath(root + "/p/q", "1".getBytes());
      String protectedPath = client.create().withProtection().withMode(CreateMode.EPHEMERAL_SEQUENTIAL)
          .forPath(root + "/p/e-");
      Checks.expect(protectedPath.matches(root + "/p/_c_[0-9a-f-]{36}-e-\\d{10}"), protectedPath);
      client.create().orSetData().forPath(root + "/p/q", "2".getBytes());
      Checks.expect(new String(client.getData().forPath(root + "/p/q")), "2", "or set");
      client.getData().usingWatcher((Watcher) event -> seen.add(event.getType().name())).forPath(root + "/p/q");
      client.watchers().add().withMode(AddWatchMode.PERSISTENT)
          .usingWatcher((Watcher) event -> seen.add("persistent " + event.getType())).forPath(root + "/p");
      var results = client.transaction().forOperations(
          client.transactionOp().setData().forPath(root + "/p/q", "3".getBytes()),
          client.transactionOp().create().forPath(root + "/p/r"),
          client.transactionOp().check().forPath(root + "/p/q"),
          client.transactionOp().delete().forPath(root + "/p/r"));
      Checks.expect(results.size(), 4, "results");
      seen.await(all -> all.contains("NodeDataChanged") && all.contains("persistent NodeChildrenChanged"), "watches");
      client.watches().removeAll().forPath(root + "/p");
      var inside = client.usingNamespace(root.substring(1));
      Checks.expect(inside.getChildren().forPath("/p").size(), 2, "children in a namespace");
      Checks.Seen<Integer> background = new Checks.Seen<>();
      client.getData().inBackground((c, event) -> background.add(event.getResultCode())).forPath(root + "/none");
      background.await(all -> all.equals(List.of(-101)), "the error of a call in the background");
      client.delete().guaranteed().deletingChildrenIfNeeded().forPath(root);
      Checks.expect(client.checkExists().forPath(root), null, "what was deleted");
    }
  }
}
