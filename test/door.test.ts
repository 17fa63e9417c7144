/** The client port as people configure it: SASL, TLS beside plain text, certificates that are renewed, no quorum. */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { connect as dialTls } from "node:tls"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Authority, type Issued } from "../services/frontend/test/authority.ts"
import { clients } from "./clients/index.ts"
import { Session } from "./recorder/session.ts"
import { temporary } from "./setup/directories.ts"
import { tools } from "./setup/packages.ts"
import { eventually, run, start } from "./setup/processes.ts"
import { Ensemble, Servers } from "./setup/zkmesh.ts"

const SCRIPT = join(import.meta.dirname, "clients/kazoo_door.py")
const kazoo = (connect: string, check: string, door: Readonly<Record<string, string>> = {}) => ({
  name: check,
  command: tools.python.path,
  args: [SCRIPT, connect, check],
  env: { PYTHONDONTWRITEBYTECODE: "1", DOOR: JSON.stringify(door) },
  timeoutMs: 100_000
})

const RESOLVER = "/usr/share/java/netty-resolver.jar"

/** zkCli.sh's own class, with all of Netty beside it: one command, and what it prints. */
const zooKeeperMain = (connect: string, flags: ReadonlyArray<string>, command: ReadonlyArray<string>) =>
  run({
    name: "ZooKeeperMain",
    command: tools.java.path,
    args: [
      ...["-cp", ["/etc/zookeeper/conf", tools.zookeeper.path, tools.netty.path, RESOLVER].join(":"), ...flags],
      ...["org.apache.zookeeper.ZooKeeperMain", "-server", connect, ...command]
    ],
    timeoutMs: 60_000
  })

const JAAS = `Server {
  org.apache.zookeeper.server.auth.DigestLoginModule required
  user_super="adminsecret" user_bob="bobsecret" user_alice="alice's";
};
Client {
  org.apache.zookeeper.server.auth.DigestLoginModule required
  username="bob" password="bobsecret";
};
`

describe("a port for everybody", () => {
  let ensemble: Ensemble
  let directory: string
  let door: Record<string, string>
  let others: Authority

  beforeAll(async () => {
    directory = temporary("door")
    const file = (name: string) => join(directory, name)
    const ours = Authority.make(directory, "ours")
    others = Authority.make(directory, "others")
    const alice = ours.issue("alice", "/C=NL/O=Acme/CN=alice")
    const expired = ours.issue("expired", "/CN=alice", { isExpired: true })
    const stranger = others.issue("stranger", "/CN=alice")
    show(file("server.pem"), ours.issue("server", "/CN=localhost"))
    copyFileSync(ours.certFile, file("trusted.pem"))
    writeFileSync(file("jaas.conf"), JAAS)
    door = {
      ca: ours.certFile,
      other_ca: others.certFile,
      alice_dn: "CN=alice,O=Acme,C=NL",
      ...{ alice_cert: alice.certFile, alice_key: alice.keyFile },
      ...{ expired_cert: expired.certFile, expired_key: expired.keyFile },
      ...{ stranger_cert: stranger.certFile, stranger_key: stranger.keyFile }
    }
    ensemble = await Ensemble.start(1, [
      "client.portUnification=true",
      "client.certReload=true",
      `ssl.keyStore.location=${file("server.pem")}`,
      `ssl.trustStore.location=${file("trusted.pem")}`,
      "ssl.clientAuth=want",
      `jaasLoginConfig=${file("jaas.conf")}`,
      "superUser=super"
    ])
  })
  afterAll(() => ensemble?.stop())

  it.each([
    "proves_itself_by_sasl",
    "is_refused_with_a_wrong_password",
    "speaks_tls_and_plain_text_to_one_port",
    "is_refused_with_a_wrong_certificate"
  ])("kazoo %s", async (check) => {
    await run(kazoo(ensemble.connect, check, door))
  })

  it("takes zkCli.sh by SASL", async () => {
    const login = [`-Djava.security.auth.login.config=${join(directory, "jaas.conf")}`]
    await zooKeeperMain(ensemble.connect, login, ["create", "/by-sasl", "mine", "sasl:bob:cdrwa"])
    const nobody = zooKeeperMain(ensemble.connect, [], ["get", "/by-sasl"])
    await nobody.then(
      () => assert.fail("anybody may read it"),
      (error: Error) => assert.match(error.message, /Insufficient permission|NoAuth/)
    )
  })

  it("takes zkCli.sh by TLS", async () => {
    const keyStore = join(directory, "alice.pem")
    writeFileSync(keyStore, readFileSync(door["alice_cert"]!, "utf8") + readFileSync(door["alice_key"]!, "utf8"))
    const secure = [
      "-Dzookeeper.client.secure=true",
      "-Dzookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty",
      `-Dzookeeper.ssl.keyStore.location=${keyStore}`,
      `-Dzookeeper.ssl.trustStore.location=${door["ca"]}`
    ]
    assert.match(await zooKeeperMain(ensemble.connect, secure, ["whoami"]), /x509: CN=alice,O=Acme,C=NL/)
  })

  it("renews its certificate under a writer that does not notice", async () => {
    const port = ensemble.ports[0]!
    const writer = await Session.open({ ports: [port], timeoutMs: 10_000 })
    let writes = 0
    let isDone = false
    const writing = (async () => {
      while (!isDone) assert.strictEqual((await writer.create(`/renewed-${writes++}`, "")).error, 0)
    })()
    assert.strictEqual(await subjectAt(port), "CN=localhost")
    show(join(directory, "server.pem"), others.issue("renewed", "/CN=renewed"))
    await eventually(async () => ((await subjectAt(port)) === "CN=renewed" ? true : undefined), "the new one", 20_000)
    isDone = true
    await writing
    assert.isAbove(writes, 0)
    assert.deepStrictEqual(writer.violations, [])
    assert.strictEqual(writer.port, port)
    await writer.close()
  })
})

describe("local sessions that become the ensemble's", () => {
  let ensemble: Ensemble

  beforeAll(async () => {
    ensemble = await Ensemble.start(3, ["localSessionsEnabled=true", "localSessionsUpgradingEnabled=true"])
  })
  afterAll(() => ensemble?.stop())

  it("serve kazoo's recipes", { timeout: 200_000 }, async () => {
    await clients.find(({ name }) => name === "kazoo's recipes")!.check(ensemble.connect)
  })
})

describe("without a quorum", () => {
  let servers: Servers

  beforeAll(async () => {
    servers = await Servers.start({ settings: ["readonlymode.enabled=true"] })
  })
  afterAll(() => servers?.stop())

  it("kazoo goes on reading, and writes again when there is one", { timeout: 200_000 }, async () => {
    const reader = start(kazoo(servers.connect, "reads_without_a_quorum"))
    await reader.line(/READY TO LOSE/)
    await Promise.all([servers.peer(1).kill(), servers.peer(2).kill()])
    await reader.line(/READY FOR A QUORUM/, 90_000)
    const shell = await zooKeeperMain(`127.0.0.1:${servers.ports[0]}`, [], ["-r", "ls", "/"])
    assert.match(shell, /zookeeper\]$/m)
    servers.launch(1)
    assert.deepInclude(await reader.exited, { code: 0 }, reader.tail(60))
  })
})

/** Certificate and key in one file, as a key store. */
const show = (file: string, { cert, key }: Issued): void => writeFileSync(file, cert + key)

/** Whom the server at this port proves to be. */
const subjectAt = (port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = dialTls({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()!.subject)
      socket.destroy()
    })
    socket.once("error", reject)
  })
