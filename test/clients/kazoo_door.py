"""What kazoo asks of a client port beyond plain connections: python3 kazoo_door.py host:port,… check ...

The environment's DOOR is a JSON object with the paths of certificates and keys.
"""

import json
import os

from kazoo.client import KazooClient
from kazoo.exceptions import (
    AuthFailedError,
    ConnectionClosedError,
    ConnectionLoss,
    NoAuthError,
    NotReadOnlyCallError,
    SessionExpiredError,
)
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol.states import KazooState, KeeperState
from kazoo.security import make_acl

from checks import Seen, check, connected, expect, expect_error, main, wait_until

DOOR = json.loads(os.environ.get("DOOR", "{}"))


def sasl(username, password):
    return {"sasl_options": {"mechanism": "DIGEST-MD5", "username": username, "password": password}}


def tls(cert=None, key=None, ca="ca"):
    options = {"use_ssl": True, "ca": DOOR[ca]}
    if cert is not None:
        options.update(certfile=DOOR[cert], keyfile=DOOR[key])
    return options


def refused(hosts, **options):
    client = KazooClient(hosts=hosts, timeout=4, **options)
    try:
        client.start(timeout=1.5)
        # An authentication that fails does not raise before something is asked for.
        client.get_async("/").get(timeout=10)
    except (KazooTimeoutError, AuthFailedError, ConnectionClosedError, ConnectionLoss, SessionExpiredError):
        return
    finally:
        client.stop()
        client.close()
    raise AssertionError("%r was taken" % (options,))


@check
def proves_itself_by_sasl(hosts, root):
    bob = connected(hosts, **sasl("bob", "bobsecret"))
    private = [make_acl("sasl", "bob", all=True)]
    bob.create(root + "/bob", b"mine", acl=private)
    expect(bob.get(root + "/bob")[0], b"mine")
    other = connected(hosts, **sasl("alice", "alice's"))
    expect_error(NoAuthError, other.get, root + "/bob")
    nobody = connected(hosts)
    expect_error(NoAuthError, nobody.get, root + "/bob")
    admin = connected(hosts, **sasl("super", "adminsecret"))
    expect(admin.get(root + "/bob")[0], b"mine")
    for client in (bob, other, nobody, admin):
        client.stop()


@check
def is_refused_with_a_wrong_password(hosts, root):
    refused(hosts, **sasl("bob", "wrong"))
    refused(hosts, **sasl("eve", "bobsecret"))


@check
def speaks_tls_and_plain_text_to_one_port(hosts, root):
    secure = connected(hosts, **tls("alice_cert", "alice_key"))
    anonymous = connected(hosts, **tls())
    plain = connected(hosts)
    secure.create(root + "/x", b"hers", acl=[make_acl("x509", DOOR["alice_dn"], all=True)])
    expect(secure.get(root + "/x")[0], b"hers")
    for client in (anonymous, plain):
        client.sync(root)
    expect_error(NoAuthError, anonymous.get, root + "/x")
    expect_error(NoAuthError, plain.get, root + "/x")
    data = os.urandom(900000)
    secure.create(root + "/big", data)
    plain.sync(root)
    expect(plain.get(root + "/big")[0] == data, True, "the same bytes")
    for client in (secure, anonymous, plain):
        client.stop()


@check
def is_refused_with_a_wrong_certificate(hosts, root):
    refused(hosts, **tls("expired_cert", "expired_key"))
    refused(hosts, **tls("stranger_cert", "stranger_key"))
    # And does not itself trust a server of another authority.
    refused(hosts, **tls(ca="other_ca"))


@check
def reads_without_a_quorum(hosts, root):
    """The quorum is lost once this says so on its standard output, and comes back when it says that."""
    seen = Seen()
    client = KazooClient(hosts=hosts, timeout=10, read_only=True, connection_retry={"max_tries": -1, "delay": 0.1})
    client.add_listener(lambda state: seen(state))
    client.start(timeout=30)
    client.create(root + "/n", b"kept")
    session = client.client_id[0]
    for one in hosts.split(","):
        everywhere = connected(one)
        everywhere.sync(root)
        everywhere.stop()
    print("READY TO LOSE THE QUORUM", flush=True)
    wait_until(lambda: client.client_state == KeeperState.CONNECTED_RO, "a read-only connection", 60)
    expect(client.get(root + "/n")[0], b"kept")
    expect(client.client_id[0], session, "the same session")
    expect_error(NotReadOnlyCallError, client.set, root + "/n", b"no")
    expect_error(NotReadOnlyCallError, client.create, root + "/m", b"no")
    fresh = KazooClient(hosts=hosts, timeout=10, read_only=True)
    fresh.start(timeout=30)
    expect(fresh.client_state, KeeperState.CONNECTED_RO)
    expect(fresh.get(root + "/n")[0], b"kept")
    refused(hosts)
    print("READY FOR A QUORUM", flush=True)
    wait_until(lambda: client.client_state == KeeperState.CONNECTED, "a connection that can write", 60)
    expect(client.client_id[0], session, "the same session")
    client.set(root + "/n", b"written")
    assert KazooState.LOST not in seen.items, seen.items
    client.stop()
    fresh.stop()


if __name__ == "__main__":
    main()
