"""The daily work of a kazoo client: python3 kazoo_daily.py host:port,host:port [check ...]"""

import os
import re
import subprocess
import sys
import time

from kazoo.exceptions import (
    BadVersionError,
    ConnectionClosedError,
    ConnectionLoss,
    NoChildrenForEphemeralsError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    RolledBackError,
    RuntimeInconsistency,
    SessionExpiredError,
)
from kazoo.protocol.states import EventType, KazooState

from checks import Seen, check, connected, expect, expect_error, main, wait_until


@check
def creates_in_every_mode(hosts, root):
    client = connected(hosts)
    expect(client.create(root + "/plain", b"data"), root + "/plain")
    expect(client.create(root + "/empty"), root + "/empty")
    expect(client.get(root + "/empty")[0], b"")
    first = client.create(root + "/s-", b"1", sequence=True)
    second = client.create(root + "/s-", b"2", sequence=True)
    for path in (first, second):
        assert re.match(r".*/s-\d{10}$", path), path
    expect(int(second[-10:]), int(first[-10:]) + 1, "the next number")
    expect(client.create(root + "/e", b"mine", ephemeral=True), root + "/e")
    expect(client.exists(root + "/e").ephemeralOwner, client.client_id[0], "the owner")
    third = client.create(root + "/es-", b"", ephemeral=True, sequence=True)
    expect(int(third[-10:]), int(second[-10:]) + 2, "creations of every kind count")
    expect(client.create(root + "/a/b/c", b"deep", makepath=True), root + "/a/b/c")
    path, stat = client.create(root + "/with-stat", b"123", include_data=True)
    expect((path, stat.version, stat.dataLength, stat.numChildren), (root + "/with-stat", 0, 3, 0))
    expect(stat.czxid, stat.mzxid)
    expect(client.get(client.create(root + "/ünï-日本", b"x"))[0], b"x")
    expect_error(NodeExistsError, client.create, root + "/plain")
    expect_error(NoNodeError, client.create, root + "/none/child")
    expect_error(NoChildrenForEphemeralsError, client.create, root + "/e/child")
    client.stop()


@check
def reads_and_writes_with_versions(hosts, root):
    client = connected(hosts)
    node = root + "/n"
    client.create(node, b"0")
    stat = client.set(node, b"one")
    expect((stat.version, stat.dataLength), (1, 3))
    stat = client.set(node, b"two", version=1)
    expect(stat.version, 2)
    expect_error(BadVersionError, client.set, node, b"late", version=1)
    value, stat = client.get(node)
    expect((value, stat.version), (b"two", 2))
    assert stat.mzxid > stat.czxid, stat
    assert abs(stat.mtime / 1000 - time.time()) < 60, stat
    expect_error(NoNodeError, client.set, root + "/none", b"")
    expect_error(NoNodeError, client.get, root + "/none")
    expect(client.exists(root + "/none"), None)
    expect_error(BadVersionError, client.delete, node, version=7)
    client.delete(node, version=2)
    expect(client.exists(node), None)
    expect_error(NoNodeError, client.delete, node)
    client.stop()


@check
def lists_and_deletes_children(hosts, root):
    client = connected(hosts)
    for name in ("c", "a", "b"):
        client.create(root + "/" + name, b"")
    expect(sorted(client.get_children(root)), ["a", "b", "c"])
    children, stat = client.get_children(root, include_data=True)
    expect((sorted(children), stat.numChildren, stat.cversion), (["a", "b", "c"], 3, 3))
    client.delete(root + "/b")
    stat = client.exists(root)
    expect((stat.numChildren, stat.cversion), (2, 4))
    client.ensure_path(root + "/a/x/y")
    expect_error(NotEmptyError, client.delete, root + "/a")
    client.delete(root + "/a", recursive=True)
    expect(client.get_children(root), ["c"])
    expect_error(NoNodeError, client.get_children, root + "/a")
    client.stop()


@check
def transactions(hosts, root):
    client = connected(hosts)
    client.create(root + "/n", b"0")
    t = client.transaction()
    t.check(root + "/n", 0)
    t.create(root + "/made", b"m")
    t.create(root + "/made/s-", b"", sequence=True)
    t.set_data(root + "/n", b"1")
    t.create(root + "/gone")
    t.delete(root + "/gone")
    results = t.commit()
    expect(results[0], True)
    expect(results[1], root + "/made")
    expect(results[2], root + "/made/s-0000000000")
    expect(results[3].version, 1)
    expect(results[5], True)
    expect(client.exists(root + "/gone"), None)
    made = client.exists(root + "/made")
    expect(made.czxid, client.exists(root + "/n").mzxid, "one zxid for all")

    t = client.transaction()
    t.create(root + "/never", b"")
    t.set_data(root + "/n", b"2", version=0)
    t.delete(root + "/made")
    results = t.commit()
    expect([type(one) for one in results], [RolledBackError, BadVersionError, RuntimeInconsistency])
    expect(client.exists(root + "/never"), None)
    expect(client.get(root + "/n")[0], b"1")
    with client.transaction() as t:
        t.create(root + "/in-with", b"")
    assert client.exists(root + "/in-with")
    client.stop()


@check
def sync_sees_the_others_writes(hosts, root):
    parts = hosts.split(",")
    writer = connected(parts[0])
    readers = [connected(part) for part in parts]
    for n in range(20):
        writer.create("%s/%d" % (root, n), b"")
        for reader in readers:
            expect(reader.sync(root), root)
            assert reader.exists("%s/%d" % (root, n)), "not there after sync"
    for client in readers + [writer]:
        client.stop()


@check
def watches_fire_once_and_in_order(hosts, root):
    client, other = connected(hosts), connected(hosts)
    seen = Seen()
    node = root + "/w"
    expect(client.exists(node, watch=seen), None)
    other.create(node, b"1")
    seen.wait(lambda items: len(items) == 1, "the creation")
    client.get(node, watch=seen)
    other.set(node, b"2")
    seen.wait(lambda items: len(items) == 2, "the change")
    other.set(node, b"3")
    client.sync(node)
    client.get_children(node, watch=seen)
    other.create(node + "/c", b"")
    seen.wait(lambda items: len(items) == 3, "the child")
    other.delete(node + "/c")
    client.sync(node)
    client.get(node, watch=seen)
    other.delete(node)
    seen.wait(lambda items: len(items) == 4, "the deletion")
    client.sync(root)
    expect(
        [(event.type, event.path) for event in seen.items],
        [
            (EventType.CREATED, node),
            (EventType.CHANGED, node),
            (EventType.CHILD, node),
            (EventType.DELETED, node),
        ],
    )
    client.stop()
    other.stop()


@check
def a_failed_read_leaves_no_watch(hosts, root):
    client, other = connected(hosts), connected(hosts)
    seen = Seen()
    expect_error(NoNodeError, client.get, root + "/n", watch=seen)
    expect_error(NoNodeError, client.get_children, root + "/n", watch=seen)
    other.create(root + "/n", b"")
    client.sync(root)
    expect(seen.items, [])
    client.stop()
    other.stop()


@check
def data_watch_and_children_watch(hosts, root):
    client, other = connected(hosts), connected(hosts)
    values, children = Seen(), Seen()
    client.DataWatch(root + "/d", lambda data, stat: values(data))
    client.ChildrenWatch(root, lambda names: children(sorted(names)))
    values.wait(lambda items: items == [None], "no node yet")
    children.wait(lambda items: items == [[]], "no children yet")
    other.create(root + "/d", b"1")
    values.wait(lambda items: items[-1] == b"1", "the creation")
    children.wait(lambda items: items[-1] == ["d"], "the child")
    for n in range(2, 30):
        other.set(root + "/d", b"%d" % n)
    values.wait(lambda items: items[-1] == b"29", "the last value")
    numbers = [int(one) for one in values.items if one is not None]
    expect(numbers, sorted(numbers), "values in order")
    other.delete(root + "/d")
    values.wait(lambda items: items[-1] is None, "the deletion")
    children.wait(lambda items: items[-1] == [], "no children again")
    client.stop()
    other.stop()


@check
def ephemerals_vanish_on_close(hosts, root):
    owner, other = connected(hosts), connected(hosts)
    gone = Seen()
    owner.create(root + "/e", b"", ephemeral=True)
    other.sync(root)
    assert other.exists(root + "/e", watch=gone)
    owner.stop()
    gone.wait(lambda items: [one.type for one in items] == [EventType.DELETED], "the deletion")
    expect(other.exists(root + "/e"), None)
    other.stop()


@check
def ephemerals_vanish_on_expiry(hosts, root):
    program = (
        "import os, sys\n"
        "from kazoo.client import KazooClient\n"
        "client = KazooClient(hosts=sys.argv[1], timeout=4)\n"
        "client.start()\n"
        "client.create(sys.argv[2], b'', ephemeral=True)\n"
        "print(client.client_id[0], flush=True)\n"
        "os._exit(0)\n"
    )
    other = connected(hosts)
    gone = Seen()
    out = subprocess.run([sys.executable, "-c", program, hosts, root + "/e"], capture_output=True, check=True, timeout=60)
    died = time.monotonic()
    other.sync(root)
    stat = other.exists(root + "/e", watch=gone)
    assert stat, "an ephemeral stands until its session expires"
    expect(stat.ephemeralOwner, int(out.stdout))
    gone.wait(lambda items: len(items) == 1, "the expiry")
    took = time.monotonic() - died
    assert 2 < took < 12, "a session of 4 s was expired after %.1f s" % took
    other.stop()


@check
def an_expired_session_is_told(hosts, root):
    client = connected(hosts)
    states = Seen()
    client.add_listener(states)
    client.create(root + "/e", b"", ephemeral=True)
    thief = connected(hosts, client_id=client.client_id)
    thief.stop()  # Closes the session that both use.
    states.wait(lambda items: KazooState.LOST in items, "the loss of the session")
    states.wait(lambda items: items[-1] == KazooState.CONNECTED, "a session again")
    expect(client.exists(root + "/e"), None)
    client.stop()


@check
def values_up_to_a_megabyte(hosts, root):
    client, other = connected(hosts), connected(hosts)
    big = os.urandom(1024 * 1024 - 4096)
    client.create(root + "/big", big)
    expect(client.get(root + "/big")[0] == big, True, "the value comes back")
    client.set(root + "/big", big[::-1])
    other.sync(root)
    expect(other.get(root + "/big")[0] == big[::-1], True, "the other reads it")
    expect_error((ConnectionLoss, ConnectionClosedError, SessionExpiredError), client.set, root + "/big", bytes(1100000))
    expect(other.exists(root + "/big").version, 1)
    wait_until(lambda: client.connected, "the connection again")
    expect(client.retry(client.get, root + "/big")[0] == big[::-1], True, "nothing was changed")
    client.stop()
    other.stop()


@check
def many_children(hosts, root):
    client = connected(hosts)
    pending = [client.create_async("%s/child-%05d" % (root, n), b"x") for n in range(5000)]
    for one in pending:
        one.get(timeout=60)
    names = client.get_children(root)
    expect(sorted(names), ["child-%05d" % n for n in range(5000)])
    expect(client.exists(root).numChildren, 5000)
    pending = [client.delete_async(root + "/" + name) for name in names]
    for one in pending:
        one.get(timeout=60)
    expect(client.get_children(root), [])
    client.stop()


@check
def pipelined_requests_are_answered_in_order(hosts, root):
    client = connected(hosts)
    client.create(root + "/n", b"0")
    answers = []
    for n in range(1, 300):
        answers.append(client.set_async(root + "/n", b"%d" % n))
        answers.append(client.get_async(root + "/n"))
    for n in range(1, 300):
        expect(answers[2 * n - 2].get(timeout=60).version, n)
        expect(answers[2 * n - 1].get(timeout=60)[0], b"%d" % n, "a session reads its own writes")
    client.stop()


@check
def the_session_moves_to_another_server(hosts, root):
    parts = hosts.split(",")
    if len(parts) < 2:
        return
    client, other = connected(parts[0], randomize_hosts=False), connected(parts[-1])
    values = Seen()
    states = Seen()
    client.add_listener(states)
    client.create(root + "/e", b"", ephemeral=True)
    client.create(root + "/d", b"0")
    client.DataWatch(root + "/d", lambda data, stat: values(data))
    session = client.client_id
    for turn, part in enumerate(parts[1:] + parts[:1]):
        before = len(states.items)
        client.set_hosts(part)
        client._connection._socket.shutdown(2)
        states.wait(lambda items: KazooState.CONNECTED in items[before:], "the connection to %s" % part)
        expect(client.client_id, session, "the session")
        other.set(root + "/d", b"%d" % (turn + 1))
        values.wait(lambda items: items[-1] == b"%d" % (turn + 1), "the watch at %s" % part)
        other.sync(root)
        expect(other.exists(root + "/e").ephemeralOwner, session[0], "the ephemeral stands")
        client.set(root + "/e", b"still mine")
    assert KazooState.LOST not in states.items, states.items
    client.stop()
    other.sync(root)
    expect(other.exists(root + "/e"), None)
    other.stop()


@check
def four_letter_words(hosts, root):
    client = connected(hosts)
    expect(client.command(b"ruok"), "imok")
    answer = client.command(b"srvr")
    assert re.search(r"^Mode: (leader|follower|standalone|observer)$", answer, re.M), answer
    assert re.search(r"^Zxid: 0x[0-9a-f]+$", answer, re.M), answer
    assert re.search(r"^zk_server_state\t", client.command(b"mntr"), re.M)
    expect(client.command(b"isro"), "rw")
    assert "Clients:" in client.command(b"stat")
    client.stop()


main()
