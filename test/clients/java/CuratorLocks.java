import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.ExponentialBackoffRetry;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** Curator's locks, leaders, barriers, counters and queues. */
final class CuratorLocks {
  static void addTo(Checks checks) {
    checks.add("mutex", CuratorLocks::mutex);
    checks.add("read-write-lock", CuratorLocks::readWriteLock);
    checks.add("semaphore", CuratorLocks::semaphore);
    checks.add("leader-latch", CuratorLocks::leaderLatch);
    checks.add("leader-selector", CuratorLocks::leaderSelector);
    checks.add("barrier", CuratorLocks::barrier);
    checks.add("double-barrier", CuratorLocks::doubleBarrier);
    checks.add("atomic-long", CuratorLocks::atomicLong);
    checks.add("queue", CuratorLocks::queue);
  }

  private static void mutex(String hosts, String root) throws Exception {
    int rounds = 10;
    Curators clients = new Curators(hosts, 3);
    AtomicInteger inside = new AtomicInteger();
    AtomicInteger entered = new AtomicInteger();
    List<Future<?>> workers = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      InterProcessMutex lock = new InterProcessMutex(clients.get(i), root);
      workers.add(Checks.THREADS.submit(() -> {
        for (int round = 0; round < rounds; round++) {
          Checks.expect(lock.acquire(Checks.WAIT_MS, TimeUnit.MILLISECONDS), "the lock in time");
          Checks.expect(inside.incrementAndGet(), 1, "holders of the lock");
          entered.incrementAndGet();
          inside.decrementAndGet();
          lock.release();
        }
        return null;
      }));
    }
    for (Future<?> worker : workers) worker.get(2 * Checks.WAIT_MS, TimeUnit.MILLISECONDS);
    Checks.expect(entered.get(), 3 * rounds, "entries");
    InterProcessMutex held = new InterProcessMutex(clients.get(0), root);
    held.acquire();
    held.acquire();
    held.release();
    Checks.expect(held.isAcquiredInThisProcess(), "a mutex can be entered again");
    InterProcessMutex waiting = new InterProcessMutex(clients.get(1), root);
    Checks.expect(!waiting.acquire(300, TimeUnit.MILLISECONDS), "a held lock is not given");
    Future<Boolean> next =
        Checks.THREADS.submit(() -> waiting.acquire(Checks.WAIT_MS, TimeUnit.MILLISECONDS));
    Checks.eventually(() -> held.getParticipantNodes().size() == 2, "the contender");
    // A holder whose session ends gives the lock away.
    clients.get(0).close();
    Checks.expect(next.get(Checks.WAIT_MS, TimeUnit.MILLISECONDS), "the lock of a holder that has gone");
    clients.close();
  }

  private static void readWriteLock(String hosts, String root) throws Exception {
    try (Curators clients = new Curators(hosts, 3)) {
      InterProcessReadWriteLock[] locks = new InterProcessReadWriteLock[3];
      for (int i = 0; i < 3; i++) locks[i] = new InterProcessReadWriteLock(clients.get(i), root);
      locks[0].readLock().acquire();
      Checks.expect(locks[1].readLock().acquire(Checks.WAIT_MS, TimeUnit.MILLISECONDS), "a second reader");
      Checks.expect(!locks[2].writeLock().acquire(300, TimeUnit.MILLISECONDS), "no writer beside readers");
      locks[0].readLock().release();
      locks[1].readLock().release();
      Checks.expect(locks[2].writeLock().acquire(Checks.WAIT_MS, TimeUnit.MILLISECONDS), "the writer");
      Checks.expect(!locks[0].readLock().acquire(300, TimeUnit.MILLISECONDS), "no reader beside a writer");
      locks[2].writeLock().release();
    }
  }

  private static void semaphore(String hosts, String root) throws Exception {
    try (Curators clients = new Curators(hosts, 3)) {
      InterProcessSemaphoreV2[] semaphores = new InterProcessSemaphoreV2[3];
      for (int i = 0; i < 3; i++) semaphores[i] = new InterProcessSemaphoreV2(clients.get(i), root, 2);
      Lease first = semaphores[0].acquire(Checks.WAIT_MS, TimeUnit.MILLISECONDS);
      Lease second = semaphores[1].acquire(Checks.WAIT_MS, TimeUnit.MILLISECONDS);
      Checks.expect(first != null && second != null, "two leases");
      Checks.expect(semaphores[2].acquire(300, TimeUnit.MILLISECONDS), null, "a third lease");
      semaphores[0].returnLease(first);
      Lease third = semaphores[2].acquire(Checks.WAIT_MS, TimeUnit.MILLISECONDS);
      Checks.expect(third != null, "a lease that was given back");
      semaphores[1].returnLease(second);
      semaphores[2].returnLease(third);
    }
  }

  private static void leaderLatch(String hosts, String root) throws Exception {
    try (Curators clients = new Curators(hosts, 3)) {
      LeaderLatch[] latches = new LeaderLatch[3];
      for (int i = 0; i < 3; i++) {
        latches[i] = new LeaderLatch(clients.get(i), root, "candidate-" + i);
        latches[i].start();
        int known = i + 1;
        Checks.eventually(() -> latches[0].getParticipants().size() == known, "candidate " + i);
      }
      Checks.expect(latches[0].await(Checks.WAIT_MS, TimeUnit.MILLISECONDS), "the first leads");
      for (LeaderLatch latch : latches) Checks.expect(latch.getLeader().getId(), "candidate-0", "the leader's id");
      latches[0].close();
      Checks.expect(latches[1].await(Checks.WAIT_MS, TimeUnit.MILLISECONDS), "the second follows a latch closed");
      clients.get(1).close();
      Checks.expect(latches[2].await(Checks.WAIT_MS, TimeUnit.MILLISECONDS), "the third follows a session ended");
      latches[2].close();
    }
  }

  private static void leaderSelector(String hosts, String root) throws Exception {
    try (Curators clients = new Curators(hosts, 2)) {
      Checks.Seen<Integer> led = new Checks.Seen<>();
      CountDownLatch[] leave = {new CountDownLatch(1), new CountDownLatch(1)};
      LeaderSelector[] selectors = new LeaderSelector[2];
      for (int i = 0; i < 2; i++) {
        int number = i;
        selectors[i] = new LeaderSelector(clients.get(i), root, new LeaderSelectorListenerAdapter() {
          @Override
          public void takeLeadership(CuratorFramework client) throws Exception {
            led.add(number);
            leave[number].await(Checks.WAIT_MS, TimeUnit.MILLISECONDS);
          }
        });
        selectors[i].start();
        if (i == 0) led.await(seen -> seen.size() == 1, "the first leader");
      }
      leave[0].countDown();
      led.await(seen -> seen.equals(List.of(0, 1)), "the second leader");
      leave[1].countDown();
      for (LeaderSelector selector : selectors) selector.close();
    }
  }

  private static void barrier(String hosts, String root) throws Exception {
    try (Curators clients = new Curators(hosts, 3)) {
      DistributedBarrier control = new DistributedBarrier(clients.get(0), root);
      control.setBarrier();
      List<Future<Boolean>> waiting = new ArrayList<>();
      for (int i = 1; i < 3; i++) {
        clients.sync(i, root);
        DistributedBarrier barrier = new DistributedBarrier(clients.get(i), root);
        Checks.expect(!barrier.waitOnBarrier(200, TimeUnit.MILLISECONDS), "the barrier holds");
        waiting.add(Checks.THREADS.submit(() -> barrier.waitOnBarrier(Checks.WAIT_MS, TimeUnit.MILLISECONDS)));
      }
      control.removeBarrier();
      for (Future<Boolean> one : waiting) {
        Checks.expect(one.get(Checks.WAIT_MS, TimeUnit.MILLISECONDS), "the barrier is gone");
      }
    }
  }

  private static void doubleBarrier(String hosts, String root) throws Exception {
    try (Curators clients = new Curators(hosts, 3)) {
      AtomicInteger entered = new AtomicInteger();
      CountDownLatch two = new CountDownLatch(2);
      List<Future<Boolean>> members = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        DistributedDoubleBarrier barrier = new DistributedDoubleBarrier(clients.get(i), root, 3);
        if (i == 2) {
          Checks.expect(two.await(Checks.WAIT_MS, TimeUnit.MILLISECONDS), "two threads");
          Checks.expect(entered.get(), 0, "who entered before all were there");
        }
        members.add(Checks.THREADS.submit(() -> {
          two.countDown();
          boolean in = barrier.enter(Checks.WAIT_MS, TimeUnit.MILLISECONDS);
          entered.incrementAndGet();
          return in && barrier.leave(Checks.WAIT_MS, TimeUnit.MILLISECONDS);
        }));
      }
      for (Future<Boolean> one : members) {
        Checks.expect(one.get(2 * Checks.WAIT_MS, TimeUnit.MILLISECONDS), "in and out");
      }
      Checks.expect(entered.get(), 3, "who entered");
    }
  }

  private static void atomicLong(String hosts, String root) throws Exception {
    int each = 10;
    try (Curators clients = new Curators(hosts, 3)) {
      List<Future<?>> workers = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        DistributedAtomicLong counter =
            new DistributedAtomicLong(clients.get(i), root, new ExponentialBackoffRetry(5, 25, 200));
        workers.add(Checks.THREADS.submit(() -> {
          for (int done = 0; done < each; ) if (counter.increment().succeeded()) done++;
          return null;
        }));
      }
      for (Future<?> worker : workers) worker.get(2 * Checks.WAIT_MS, TimeUnit.MILLISECONDS);
      clients.sync(0, root);
      AtomicValue<Long> value =
          new DistributedAtomicLong(clients.get(0), root, new ExponentialBackoffRetry(5, 25, 200)).get();
      Checks.expect(value.postValue(), 3L * each, "the sum");
    }
  }

  private static void queue(String hosts, String root) throws Exception {
    int items = 50;
    QueueSerializer<String> text = new QueueSerializer<>() {
      @Override
      public byte[] serialize(String item) {
        return item.getBytes();
      }

      @Override
      public String deserialize(byte[] bytes) {
        return new String(bytes);
      }
    };
    Checks.Seen<String> taken = new Checks.Seen<>();
    QueueConsumer<String> consumer = new QueueConsumer<>() {
      @Override
      public void consumeMessage(String item) {
        taken.add(item);
      }

      @Override
      public void stateChanged(CuratorFramework client, ConnectionState state) {
        taken.add(state.name());
      }
    };
    try (Curators clients = new Curators(hosts, 2);
        DistributedQueue<String> in = QueueBuilder.builder(clients.get(0), null, text, root).buildQueue();
        DistributedQueue<String> out = QueueBuilder.builder(clients.get(1), consumer, text, root).buildQueue()) {
      out.start();
      in.start();
      List<String> wanted = new ArrayList<>();
      for (int i = 0; i < items; i++) {
        in.put("item-" + i);
        wanted.add("item-" + i);
      }
      taken.await(seen -> seen.equals(wanted), "every item once and in order");
    }
  }
}
