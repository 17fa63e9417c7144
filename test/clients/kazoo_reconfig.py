"""kazoo's reconfig: python3 kazoo_reconfig.py hosts credentials joining leaving members, each of the last three or '-'."""

import sys

from kazoo.exceptions import BadArgumentsError, BadVersionError, NewConfigNoQuorumError, NoAuthError

from checks import Seen, connected, expect, expect_error

hosts, credentials, joining, leaving, members = sys.argv[1:]
change = [None if value == "-" else value for value in (joining, leaving, members)]

client = connected(hosts)
expect_error(NoAuthError, client.reconfig, *change)
client.add_auth("digest", credentials)

seen = Seen()
before, stat = client.get("/zookeeper/config", watch=lambda event: seen((event.type, event.path)))
version = int(before.decode().rpartition("version=")[2], 16)
expect(stat.version, -1, "the version in the stat")
expect_error(BadVersionError, client.reconfig, *change, from_config=version + 1)
expect_error(BadArgumentsError, client.reconfig, "server.9=here", None, None)
expect_error(NewConfigNoQuorumError, client.reconfig, None, None, "server.8=h8:1:2;3,server.9=h9:1:2;3")

data, stat = client.reconfig(*change, from_config=version)
changed = data.decode()
expect(int(changed.rpartition("version=")[2], 16), stat.mzxid, "the version")
seen.wait(lambda items: ("CHANGED", "/zookeeper/config") in items, "the watch on the configuration")
expect(client.get("/zookeeper/config")[0].decode(), changed, "/zookeeper/config")
client.stop()
print(changed)
