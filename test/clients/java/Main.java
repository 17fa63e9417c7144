import java.util.Arrays;

/** The Java client's and Curator's daily work: Main host:port,host:port [check ...] */
public final class Main {
  public static void main(String[] args) {
    Checks checks = new Checks();
    CuratorLocks.addTo(checks);
    CuratorCaches.addTo(checks);
    PlainClient.addTo(checks);
    KafkaLike.addTo(checks);
    checks.run(args[0], Arrays.asList(args).subList(1, args.length));
  }
}
