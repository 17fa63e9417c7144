"""kazoo's recipes: python3 kazoo_recipes.py host:port,host:port [check ...]"""

import threading
import time

from kazoo.exceptions import ConnectionClosedError, LockTimeout

from checks import Seen, check, connected, expect, expect_error, main, spawn, wait_until


def clients_of(hosts, count):
    """Each on a server of its own, as far as there are."""
    parts = hosts.split(",")
    return [connected(",".join(parts[n % len(parts):] + parts[:n % len(parts)]), randomize_hosts=False) for n in range(count)]


def stop(clients):
    for client in clients:
        client.stop()
        client.close()


@check
def lock(hosts, root):
    clients = clients_of(hosts, 4)
    inside, order, most = [], [], []

    def work(number):
        for _ in range(5):
            with clients[number].Lock(root + "/lock", "worker-%d" % number):
                inside.append(number)
                most.append(len(inside))
                order.append(number)
                inside.remove(number)

    threads = [spawn(work, number) for number in range(4)]
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a worker never got the lock"
    expect(len(order), 20)
    expect(max(most), 1, "workers in the lock at once")
    held = clients[0].Lock(root + "/lock", "first")
    held.acquire()
    expect(clients[1].Lock(root + "/lock", "second").acquire(blocking=False), False)
    expect_error(LockTimeout, clients[1].Lock(root + "/lock", "third").acquire, timeout=0.5)
    clients[0].sync(root)
    expect(held.contenders(), ["first"])
    waiter = clients[1].Lock(root + "/lock", "fourth")
    got = Seen()
    spawn(lambda: got(waiter.acquire()))
    wait_until(lambda: len(held.contenders()) == 2, "the contender")
    clients[0].stop()  # A holder that goes gives the lock away.
    got.wait(lambda items: items == [True], "the lock")
    stop(clients[1:])


@check
def read_and_write_locks(hosts, root):
    clients = clients_of(hosts, 3)
    readers = [clients[n].ReadLock(root + "/rw", "r%d" % n) for n in range(2)]
    for one in readers:
        expect(one.acquire(timeout=20), True)
    writer = clients[2].WriteLock(root + "/rw", "w")
    expect(writer.acquire(blocking=False), False)
    got = Seen()
    spawn(lambda: got(writer.acquire()))
    for one in readers:
        one.release()
    got.wait(lambda items: items == [True], "the write lock")
    writer.release()
    stop(clients)


@check
def semaphore(hosts, root):
    clients = clients_of(hosts, 3)
    leases = [client.Semaphore(root + "/sem", max_leases=2) for client in clients]
    expect(leases[0].acquire(), True)
    expect(leases[1].acquire(), True)
    expect(leases[2].acquire(blocking=False), False)
    leases[0].release()
    expect(leases[2].acquire(timeout=20), True)
    stop(clients)


@check
def election(hosts, root):
    clients = clients_of(hosts, 3)
    led = Seen()
    leave = [threading.Event() for _ in clients]

    def lead(number):
        led(number)
        leave[number].wait(30)

    def run(one, *args):
        try:
            one.run(*args)
        except ConnectionClosedError:
            pass  # The second leader's client is stopped while it leads.

    elections = []
    for number, client in enumerate(clients):
        one = client.Election(root + "/election", "c%d" % number)
        elections.append(one)
        spawn(run, one, lead, number)
        wait_until(lambda: len(one.contenders()) == number + 1, "contender %d" % number)
    led.wait(lambda items: items == [0], "the first leader")
    clients[0].sync(root)
    expect(elections[0].contenders(), ["c0", "c1", "c2"])
    leave[0].set()
    led.wait(lambda items: items == [0, 1], "the second leader")
    clients[1].stop()
    led.wait(lambda items: items == [0, 1, 2], "the third leader")
    for event in leave:
        event.set()
    stop([clients[0], clients[2]])


@check
def queue(hosts, root):
    clients = clients_of(hosts, 3)
    put = clients[0].Queue(root + "/queue")
    for n in range(20):
        put.put(b"%d" % n)
    put.put(b"first", priority=10)
    expect(len(put), 21)
    clients[1].sync(root)  # Its server may not have seen the last of them.
    expect(clients[1].Queue(root + "/queue").get(), b"first")
    taken = Seen()

    def take(client):
        own = client.Queue(root + "/queue")
        while (item := own.get()) is not None:
            taken(item)

    threads = [spawn(take, client) for client in clients]
    for thread in threads:
        thread.join(60)
    expect(sorted(int(one) for one in taken.items), list(range(20)), "each item once")
    stop(clients)


@check
def locking_queue(hosts, root):
    clients = clients_of(hosts, 2)
    first, second = [client.LockingQueue(root + "/queue") for client in clients]
    first.put_all([b"1", b"2", b"3"])
    expect(first.get(timeout=20), b"1")
    expect(second.get(timeout=20), b"2")
    expect(first.holds_lock(), True)
    first.consume()
    clients[1].stop()  # What was taken and not consumed goes back.
    clients[0].sync(root)
    expect(first.get(timeout=20), b"2")
    first.consume()
    expect(first.get(timeout=20), b"3")
    first.consume()
    expect(len(first), 0)
    stop(clients[:1])


@check
def barrier(hosts, root):
    clients = clients_of(hosts, 3)
    clients[0].Barrier(root + "/barrier").create()
    passed = Seen()
    for client in clients[1:]:
        client.sync(root)
        spawn(lambda client=client: passed(client.Barrier(root + "/barrier").wait(30)))
    expect(clients[1].Barrier(root + "/barrier").wait(0.5), False)
    clients[0].Barrier(root + "/barrier").remove()
    passed.wait(lambda items: items == [True, True], "the barrier to go")
    stop(clients)


@check
def double_barrier(hosts, root):
    clients = clients_of(hosts, 3)
    entered, left = Seen(), Seen()

    def work(number):
        one = clients[number].DoubleBarrier(root + "/double", 3, "c%d" % number)
        one.enter()
        entered(number)
        one.leave()
        left(number)

    spawn(work, 0)
    spawn(work, 1)
    time.sleep(0.5)  # Nothing happens, and that has to last a moment.
    expect(entered.items, [])
    spawn(work, 2)
    entered.wait(lambda items: sorted(items) == [0, 1, 2], "all to enter")
    left.wait(lambda items: sorted(items) == [0, 1, 2], "all to leave")
    stop(clients)


@check
def counter(hosts, root):
    clients = clients_of(hosts, 4)

    def work(client):
        own = client.Counter(root + "/counter")
        for _ in range(25):
            own += 1

    threads = [spawn(work, client) for client in clients]
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a counter never ended"
    clients[0].sync(root)
    expect(clients[0].Counter(root + "/counter").value, 100)
    fraction = clients[0].Counter(root + "/float", default=1.5)
    fraction += 2.25
    expect(fraction.value, 3.75)
    stop(clients)


@check
def party(hosts, root):
    clients = clients_of(hosts, 3)
    parties = [client.Party(root + "/party", "c%d" % n) for n, client in enumerate(clients)]
    for one in parties:
        one.join()
    clients[0].sync(root)
    expect(sorted(parties[0]), ["c0", "c1", "c2"])
    parties[1].leave()
    clients[2].stop()
    wait_until(lambda: list(parties[0]) == ["c0"], "the party to shrink")
    stop(clients[:2])


@check
def lease(hosts, root):
    import datetime

    clients = clients_of(hosts, 2)
    held = clients[0].NonBlockingLease(root + "/lease", datetime.timedelta(seconds=30), "first")
    assert held, "the lease is free"
    refused = clients[1].NonBlockingLease(root + "/lease", datetime.timedelta(seconds=30), "second")
    assert not refused, "the lease is taken"
    stop(clients)


main()
