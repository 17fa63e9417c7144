import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooKeeper;

/** Plain ZooKeeper sessions with their states to wait for. */
final class Sessions {
  static final class Open implements AutoCloseable {
    final ZooKeeper zk;
    final Checks.Seen<Watcher.Event.KeeperState> states;

    private Open(ZooKeeper zk, Checks.Seen<Watcher.Event.KeeperState> states) {
      this.zk = zk;
      this.states = states;
    }

    void awaitState(Watcher.Event.KeeperState wanted) throws InterruptedException {
      states.await(all -> all.contains(wanted), "the state " + wanted);
    }

    @Override
    public void close() throws InterruptedException {
      zk.close();
    }
  }

  static Open open(String hosts, int timeoutMs) throws Exception {
    Checks.Seen<Watcher.Event.KeeperState> states = new Checks.Seen<>();
    return connected(new Open(new ZooKeeper(hosts, timeoutMs, event -> note(states, event)), states));
  }

  /** A second handle on a session that exists. */
  static Open again(String hosts, Open first) throws Exception {
    Checks.Seen<Watcher.Event.KeeperState> states = new Checks.Seen<>();
    return connected(new Open(
        new ZooKeeper(hosts, 10_000, event -> note(states, event), first.zk.getSessionId(), first.zk.getSessionPasswd()),
        states));
  }

  private static Open connected(Open open) throws InterruptedException {
    open.awaitState(Watcher.Event.KeeperState.SyncConnected);
    return open;
  }

  private static void note(Checks.Seen<Watcher.Event.KeeperState> states, org.apache.zookeeper.WatchedEvent event) {
    if (event.getType() == Watcher.Event.EventType.None) states.add(event.getState());
  }
}
