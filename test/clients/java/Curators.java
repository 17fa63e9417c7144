import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.state.ConnectionStateListener;
import org.apache.curator.retry.ExponentialBackoffRetry;

import java.util.concurrent.TimeUnit;

/** Curator's clients, as its users make them. */
final class Curators implements AutoCloseable {
  private final CuratorFramework[] clients;

  Curators(String hosts, int count) throws InterruptedException {
    this(hosts, count, (client, state) -> { });
  }

  /** With one who hears of each connection's state from the first, which is told after a client is known to be connected. */
  Curators(String hosts, int count, ConnectionStateListener listener) throws InterruptedException {
    clients = new CuratorFramework[count];
    for (int i = 0; i < count; i++) {
      clients[i] = CuratorFrameworkFactory.newClient(
          Checks.from(hosts, i), 15_000, 15_000, new ExponentialBackoffRetry(100, 5));
      clients[i].getConnectionStateListenable().addListener(listener);
      clients[i].start();
    }
    for (CuratorFramework client : clients) {
      Checks.expect(client.blockUntilConnected(Checks.WAIT_MS, TimeUnit.MILLISECONDS), "no connection");
    }
  }

  CuratorFramework get(int i) {
    return clients[i];
  }

  /** What one client wrote, another may read at its own server. */
  void sync(int i, String path) throws Exception {
    clients[i].sync().forPath(path);
  }

  @Override
  public void close() {
    for (CuratorFramework client : clients) client.close();
  }
}
