"""Clients that go on whatever happens to their connections: nothing but kazoo's own retry stands between them and errors.

Arguments: connect string, root, number of clients. Says "ready" when all are at work; ends when its input does, with one
line of JSON: how many requests were answered, how often connections were lost, and how long the slowest request took.
"""

import json
import sys
import threading
import time

from kazoo.client import KazooClient
from kazoo.protocol.states import KazooState
from kazoo.retry import KazooRetry

connect, root, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
stopping = threading.Event()
failures = []
totals = []


def work(index, started):
    lost = [0]
    retry = KazooRetry(max_tries=-1, delay=0.02, max_delay=0.2, ignore_expire=False)
    client = KazooClient(hosts=connect, timeout=20.0, connection_retry=retry, command_retry=retry.copy())
    client.add_listener(lambda state: lost.__setitem__(0, lost[0] + (state != KazooState.CONNECTED)))
    answered, slowest = 0, 0.0
    try:
        client.start(timeout=30)
        path = f"{root}/{index}"
        client.ensure_path(path)
        number = 0
        started.release()
        while not stopping.is_set():
            number += 1
            before = time.monotonic()
            client.retry(client.set, path, str(number).encode())
            value, _ = client.retry(client.get, path)
            if int(value) != number:
                raise AssertionError(f"{path} is {value} after it was set to {number}")
            children = client.retry(client.get_children, root)
            if str(index) not in children:
                raise AssertionError(f"{path} is not among {children}")
            slowest = max(slowest, time.monotonic() - before)
            answered += 3
            time.sleep(0.01)
        client.stop()
        client.close()
    except BaseException as error:  # reported below: the test fails with it
        failures.append(f"client {index}: {type(error).__name__}: {error}")
        started.release()
    totals.append((answered, lost[0], slowest))


started = threading.Semaphore(0)
threads = [threading.Thread(target=work, args=(i, started), daemon=True) for i in range(count)]
for thread in threads:
    thread.start()
for _ in threads:
    started.acquire()
print("ready", flush=True)
sys.stdin.read()
stopping.set()
for thread in threads:
    thread.join(timeout=30)
    if thread.is_alive():
        failures.append("a client does not come to its end")
for failure in failures:
    print(failure, file=sys.stderr, flush=True)
print(
    json.dumps(
        {
            "answered": sum(one[0] for one in totals),
            "lost": sum(one[1] for one in totals),
            "slowestMs": round(max(one[2] for one in totals) * 1000) if totals else 0,
        }
    ),
    flush=True,
)
sys.exit(1 if failures else 0)
