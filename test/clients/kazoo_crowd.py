"""Many kazoo clients at work until they are asked to end (SIGTERM): python3 kazoo_crowd.py host:port,... root clients [pause in ms]

Each writes a register of its own, every write once and on the version that it knows, holds an ephemeral node, and watches
its neighbour's register. At the end one line of JSON tells what they went through: a connection that was suspended or a
session that was lost, an error, a write that was carried out not once, and the longest time that a write took.
"""

import json
import signal
import sys
import threading
import time

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException

PAUSE_S = int(sys.argv[4]) / 1000 if len(sys.argv) > 4 else 0.02


class Member:
    def __init__(self, index, count, hosts, root):
        self.name = "%s/register-%d" % (root, index)
        self.neighbour = "%s/register-%d" % (root, (index + 1) % count)
        self.ephemeral = "%s/live-%d" % (root, index)
        self.client = KazooClient(hosts=hosts, timeout=20, randomize_hosts=True)
        self.states = []
        self.errors = []
        self.writes = 0
        self.events = 0
        self.longest = 0.0
        self.working = False
        self.client.add_listener(lambda state: self.states.append(state) if self.working else None)

    def begin(self):
        self.client.start(timeout=60)
        self.client.create(self.name, b"0")
        self.client.create(self.ephemeral, ephemeral=True)

    def watch(self, event=None):
        """A one-shot data watch, set again from a thread of its own: each event is followed by a read."""
        if event is not None:
            self.events += 1
        try:
            self.client.get_async(self.neighbour, watch=self.watch)
        except KazooException as error:
            self.errors.append(repr(error))

    def work(self, stop):
        version = 0
        self.working = True
        while not stop.is_set():
            began = time.monotonic()
            try:
                stat = self.client.set(self.name, b"%d" % (version + 1), version=version)
                if stat.version != version + 1:
                    self.errors.append("version %d after %d" % (stat.version, version))
                version = stat.version
                self.writes = version
            except KazooException as error:
                self.errors.append(repr(error))
                version = self.client.retry(self.client.exists, self.name).version
            self.longest = max(self.longest, time.monotonic() - began)
            time.sleep(PAUSE_S)

    def finish(self):
        data, stat = self.client.get(self.name)
        if (int(data), stat.version) != (self.writes, self.writes):
            self.errors.append("%s: %r at version %d after %d writes" % (self.name, data, stat.version, self.writes))
        owner = self.client.exists(self.ephemeral)
        if owner is None or owner.ephemeralOwner != self.client.client_id[0]:
            self.errors.append("%s is not there, or not this session's" % self.ephemeral)
        self.working = False
        self.client.stop()
        self.client.close()


def main():
    hosts, root, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    members = [Member(i, count, hosts, root) for i in range(count)]
    first = members[0]
    first.client.start(timeout=60)
    first.client.ensure_path(root)
    for member in members:
        member.begin()
    for member in members:
        member.watch()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threads = [threading.Thread(target=member.work, args=(stop,)) for member in members]
    for thread in threads:
        thread.start()
    print("working", flush=True)
    stop.wait()
    for thread in threads:
        thread.join(60)
    for member in members:
        member.finish()
    print(
        json.dumps(
            {
                "writes": sum(member.writes for member in members),
                "events": sum(member.events for member in members),
                "states": [state for member in members for state in member.states if state != "CONNECTED"],
                "errors": [error for member in members for error in member.errors],
                "longestEachMs": sorted(round(1000 * member.longest) for member in members),
                "longestMs": round(1000 * max(member.longest for member in members)),
            }
        ),
        flush=True,
    )


main()
