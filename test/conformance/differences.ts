/** Every difference from ZooKeeper that is meant to be, with the reason. The test fails for an entry that is none. */
import type { Intended } from "./compare.ts"

/** From ZooKeeper 3.9, whose protocol is ours, and unless it says otherwise from Debian's 3.8 as well. */
export const fromNewer: ReadonlyArray<Intended> = [
  {
    at: /^config › .*(\.data|\.dataLength)$/,
    reason: "zkmesh in one process has no addresses of servers to show: nobody can connect to them"
  },
  {
    at: /^config › .*\.mtime$/,
    zookeeper: "not its transaction's",
    reason:
      "ZooKeeper installs the configuration as of its own start, although no transaction has; every peer the same here"
  },
  {
    at: 'reads › a: getAllChildrenNumber "" › a.0.total',
    reason: "ZooKeeper counts the root twice where it is called by no name"
  },
  {
    at: "multi-read › a: multiRead: writes › a.0.more",
    zkmesh: "nothing",
    reason: "ZooKeeper appends the end of an empty list of results to this error alone; no error of ours has a body"
  },
  {
    at: /^watch-failures › b: (addWatch|checkWatches|removeWatches) null \d › b\.0\.error$/,
    zookeeper: "OK",
    zkmesh: "MARSHALLINGERROR",
    since: "3.9",
    reason: "nothing can happen to a path that is null: who watches it is told so"
  },
  {
    at: "reattach › wrong password › b.0",
    zookeeper: "closed",
    zkmesh: "nothing",
    reason: "ZooKeeper hangs up on a session's client when somebody else comes with a wrong password"
  },
  {
    at: "reattach › last says hello › b.0",
    zookeeper: "nothing",
    zkmesh: "closed",
    reason: "so the connection is still there when the session really moves on"
  },
  {
    at: 'delete-container › a: deleteContainer "/delete-container/p" › a.0.error',
    zkmesh: "BADVERSION",
    reason: "a client may delete by this way what is a container or has a ttl, and if it may delete it anyway"
  },
  {
    at: /^delete-container › a: getChildren .* › a\.0\.names\./,
    reason: "so the ordinary znode is still there"
  },
  {
    at: /^create-session › a: createSession › /,
    reason:
      "a session is made by a ConnectRequest alone; ZooKeeper lets a client's request for one through its pipeline"
  }
]

/** From Debian's ZooKeeper 3.8 besides: what has changed between it and 3.9, which is compared without these. */
export const fromOlder: ReadonlyArray<Intended> = [
  {
    at: /\.zxid$/,
    zookeeper: "-1",
    reason: "since 3.9 an event says which transaction has fired it"
  },
  {
    at: /^watch-failures › b: (addWatch|checkWatches|removeWatches) null \d › b\.0\.error$/,
    reason: "what a null path is answered has changed"
  },
  {
    at: /^(watch-removal|watch-all-at-once|watch-failures|set-watches) › /,
    reason:
      "3.8 remembers one mode of a watcher and path, the last; it asks for no mode when it looks for watches, " +
      "and does not know the types of persistent ones"
  },
  {
    at: /^(watch-own › a: events among replies|acl-watches › b: checkWatches "\/acl-watches\/parent" 1) › /,
    reason: "likewise: here a watch of one kind replaces one of another"
  },
  {
    at: /^\S+ › b: exists .* › b\.0\.error$/,
    zookeeper: "OK",
    zkmesh: "NOAUTH",
    reason: "since 3.9 exists wants READ"
  },
  {
    at: /^acl-checks › b: removeWatches .* › b\.0\.error$/,
    zookeeper: "OK",
    zkmesh: "NOWATCHER",
    reason: "so there is no watch of such an exists"
  },
  {
    at: /^acl-(forms|ip) › .*("::1"|"fe80::\/10"|-forms\/3[56]"|-ip\/6").* › \w\.0\.error$/,
    reason: "since 3.9 ACLs may name IPv6 addresses"
  },
  {
    at: /^multi › a: multi: (every kind of write|createContainer of mode [01]) › a\.0\.results\./,
    reason: "3.8 answers these parts of a multi as if they had been asked for by the opcode create"
  },
  {
    at: /^multi › a: (exists "\/multi\/c6"|getEphemerals "\/multi") › /,
    reason: "createContainer with the mode of an ephemeral makes one in a multi of 3.8, a container since"
  },
  {
    at: /^multi-malformed › a: multi: (mode -1|mode 7|no ACL list) › a\.0\.error$/,
    zookeeper: "OK",
    zkmesh: "MARSHALLINGERROR",
    reason: "since 3.9 a multi with such a part is malformed as a whole"
  },
  {
    at: /^(delete-container|bodies) › a: deleteContainer .* › a\.0\.error$/,
    zookeeper: "BADARGUMENTS",
    reason: "3.8 takes the bytes of the whole body for the path, its length included"
  }
]
