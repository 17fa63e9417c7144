"""What is to be found in traces: python3 kazoo_traced.py host:port. Prints what it did, as JSON."""

import json
import os
import sys
import threading

from kazoo.client import KazooClient

from checks import connected

(hosts,) = sys.argv[1:]
client = connected(hosts)
other = connected(hosts)
fired = threading.Event()

client.create("/traced", b"data")
client.get("/traced", watch=lambda event: fired.set())
other.set("/traced", b"changed")
if not fired.wait(30):
    raise AssertionError("the watch has not fired")

transaction = client.transaction()
transaction.create("/traced/a", b"1")
transaction.create("/traced/b", b"2")
transaction.commit()

# A client that goes without a word: its session expires.
silent = KazooClient(hosts=hosts, timeout=1)
silent.start(timeout=30)
silent.create("/traced/ephemeral", b"", ephemeral=True)

sessions = {name: hex(one.client_id[0]) for name, one in (("main", client), ("other", other), ("silent", silent))}
print(json.dumps(sessions), flush=True)
client.stop()
other.stop()
os._exit(0)
