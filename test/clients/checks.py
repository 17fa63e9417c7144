"""What the kazoo scripts share: named checks that run in turn, and stop at the first that fails."""

import os
import sys
import threading
import time
import traceback

from kazoo.client import KazooClient

WAIT = 30
CHECKS = []


def check(function):
    """Registers a check; it is given the connect string and a root of its own that exists."""
    CHECKS.append(function)
    return function


def connected(hosts, **options):
    options.setdefault("timeout", 10)
    client = KazooClient(hosts=hosts, **options)
    client.start(timeout=WAIT)
    return client


def expect(actual, wanted, what="value"):
    if actual != wanted:
        raise AssertionError("%s: got %r, not %r" % (what, actual, wanted))


def expect_error(kind, function, *args, **kwargs):
    try:
        result = function(*args, **kwargs)
    except kind:
        return
    raise AssertionError("%s%r gave %r, not %s" % (getattr(function, "__name__", function), args, result, kind.__name__))


class Seen:
    """What callbacks have said so far, to be waited for."""

    def __init__(self):
        self.items = []
        self.changed = threading.Condition()

    def __call__(self, *item):
        with self.changed:
            self.items.append(item[0] if len(item) == 1 else item)
            self.changed.notify_all()

    def wait(self, condition, what):
        deadline = time.monotonic() + WAIT
        with self.changed:
            while not condition(self.items):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError("waited %d s for %s; seen: %r" % (WAIT, what, self.items))
                self.changed.wait(left)
            return list(self.items)


def wait_until(condition, what, seconds=WAIT):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("waited %d s for %s" % (seconds, what))
        time.sleep(0.05)


def spawn(function, *args):
    thread = threading.Thread(target=function, args=args, daemon=True)
    thread.start()
    return thread


def main():
    hosts = sys.argv[1]
    wanted = sys.argv[2:]
    base = "/kazoo-%d-%d" % (os.getpid(), int(time.time() * 1000))
    for function in CHECKS:
        name = function.__name__
        if wanted and name not in wanted:
            continue
        client = connected(hosts)
        root = "%s/%s" % (base, name)
        client.ensure_path(root)
        began = time.monotonic()
        try:
            function(hosts, root)
        except BaseException:
            traceback.print_exc()
            print("FAILED %s" % name, flush=True)
            os._exit(1)
        print("ok %s (%.2f s)" % (name, time.monotonic() - began), flush=True)
        client.stop()
        client.close()
    print("all passed", flush=True)
    os._exit(0)
