/** TLS as Java's tools keep it: stores made by keytool, for clients and for operators. */
import { execFileSync } from "node:child_process"
import { copyFileSync, readFileSync, writeFileSync } from "node:fs"
import { request } from "node:https"
import { join } from "node:path"
import { connect as dialTls } from "node:tls"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Authority, type Issued } from "../services/frontend/test/authority.ts"
import { temporary } from "./setup/directories.ts"
import { tools } from "./setup/packages.ts"
import { freeRange } from "./setup/ports.ts"
import { eventually, run } from "./setup/processes.ts"
import { Ensemble } from "./setup/zkmesh.ts"

const PASSWORD = "changeit"
const CLASSES = [
  "/etc/zookeeper/conf",
  tools.zookeeper.path,
  tools.netty.path,
  "/usr/share/java/netty-resolver.jar"
].join(":")

const keytool = (...args: ReadonlyArray<string>): void => {
  execFileSync(tools.keytool.path, ["-J-XX:TieredStopAtLevel=1", ...args], { stdio: ["ignore", "ignore", "pipe"] })
}

/** A key store of this type, as Java has it, with the certificate, its key and who signed it. */
const keyStore = (file: string, type: "JKS" | "PKCS12", { certFile, keyFile }: Issued, ca: string): void => {
  const bundle = `${certFile}.p12`
  const made = ["-in", certFile, "-inkey", keyFile, "-certfile", ca, "-name", "own", "-passout", `pass:${PASSWORD}`]
  execFileSync(tools.openssl.path, ["pkcs12", "-export", ...made, "-out", bundle], { stdio: "ignore" })
  const from = ["-srckeystore", bundle, "-srcstoretype", "PKCS12", "-srcstorepass", PASSWORD]
  const to = ["-destkeystore", file, "-deststoretype", type, "-deststorepass", PASSWORD]
  keytool("-importkeystore", "-noprompt", ...from, ...to)
}

const trustStore = (file: string, type: "JKS" | "PKCS12", ca: string): void =>
  keytool(
    "-importcert",
    "-noprompt",
    "-alias",
    "ca",
    "-file",
    ca,
    "-keystore",
    file,
    "-storetype",
    type,
    "-storepass",
    PASSWORD
  )

let ensemble: Ensemble
let admin: number
let file: (name: string) => string
let ours: Authority
let alice: Issued
let bob: Issued

beforeAll(async () => {
  const directory = temporary("stores")
  file = (name) => join(directory, name)
  ours = Authority.make(directory, "ours")
  alice = ours.issue("alice", "/CN=alice")
  bob = ours.issue("bob", "/CN=bob")
  keyStore(file("server.jks"), "JKS", ours.issue("server", "/CN=localhost"), ours.certFile)
  // As keytool has made them since Java 9, whatever they are called.
  trustStore(file("trust.jks"), "PKCS12", ours.certFile)
  keyStore(file("alice.p12"), "PKCS12", alice, ours.certFile)
  trustStore(file("trust-old.jks"), "JKS", ours.certFile)
  writeFileSync(file("password"), `${PASSWORD}\n`)
  admin = await freeRange(1)
  ensemble = await Ensemble.start(1, [
    "client.portUnification=true",
    "client.certReload=true",
    `ssl.keyStore.location=${file("server.jks")}`,
    `ssl.keyStore.passwordPath=${file("password")}`,
    `ssl.trustStore.location=${file("trust.jks")}`,
    `ssl.trustStore.password=${PASSWORD}`,
    "ssl.clientHostnameVerification=true",
    "admin.enableServer=true",
    `admin.serverPort=${admin}`,
    "admin.portUnification=true",
    "admin.needClientAuth=true",
    "sslQuorumReloadCertFiles=true",
    `ssl.quorum.keyStore.location=${file("server.jks")}`,
    `ssl.quorum.keyStore.passwordPath=${file("password")}`,
    `ssl.quorum.trustStore.location=${file("trust-old.jks")}`,
    `ssl.quorum.trustStore.passwordPath=${file("password")}`
  ])
})
afterAll(() => ensemble?.stop())

const zkCli = (command: ReadonlyArray<string>) =>
  run({
    name: "ZooKeeperMain",
    command: tools.java.path,
    args: [
      ...["-cp", CLASSES, "-Dzookeeper.client.secure=true"],
      "-Dzookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty",
      ...[`-Dzookeeper.ssl.keyStore.location=${file("alice.p12")}`, `-Dzookeeper.ssl.keyStore.password=${PASSWORD}`],
      ...[`-Dzookeeper.ssl.trustStore.location=${file("trust-old.jks")}`],
      `-Dzookeeper.ssl.trustStore.password=${PASSWORD}`,
      ...["org.apache.zookeeper.ZooKeeperMain", "-server", ensemble.connect, ...command]
    ],
    timeoutMs: 60_000
  })

/** What the admin server answers by HTTPS; rejects if the connection is refused. */
const ask = (
  path: string,
  who: Issued | undefined,
  authorization?: string
): Promise<{ status: number; body: string }> =>
  new Promise((resolve, reject) => {
    const asked = request({
      ...{ host: "127.0.0.1", port: admin, path, agent: false, ca: ours.cert },
      ...(who === undefined ? {} : { cert: who.cert, key: who.key }),
      headers: authorization === undefined ? {} : { authorization }
    })
    asked.once("response", (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.once("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }))
    })
    asked.once("error", reject)
    asked.end()
  })

/** Whom the server at this port proves to be. */
const subjectAt = (port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const { cert, key } = alice
    const socket = dialTls({ port, host: "127.0.0.1", rejectUnauthorized: false, cert, key }, () => {
      resolve(socket.getPeerX509Certificate()!.subject)
      socket.destroy()
    })
    socket.once("error", reject)
  })

describe("Java's stores", () => {
  it("serve zkCli.sh, which has some of its own", async () => {
    assert.match(await zkCli(["whoami"]), /x509: CN=alice/)
  })

  it("serve operators by HTTPS, who are known by their certificates", async () => {
    const plain = await fetch(`http://127.0.0.1:${admin}/commands/ruok`)
    assert.strictEqual(plain.status, 200)
    assert.deepInclude(await ask("/commands/ruok", alice), { status: 200 })
    await ask("/commands/ruok", undefined).then(
      () => assert.fail("nobody was let in"),
      (error: unknown) => assert.instanceOf(error, Error)
    )
    await zkCli(["setAcl", "/", "x509:CN=alice:cdrwa,world:anyone:r"])
    const snapshot = "/commands/snapshot?streaming=false"
    assert.deepInclude(await ask(snapshot, bob, "x509"), { status: 403 })
    assert.deepInclude(await ask(snapshot, bob, "digest a:b"), { status: 403 })
    assert.deepInclude(await ask(snapshot, alice, "x509"), { status: 200 })
    const counted = JSON.parse((await ask("/commands/monitor", alice)).body)
    assert.strictEqual(counted["insecure_admin_count"], 1)
    const bare = await fetch(`http://127.0.0.1:${admin}${snapshot}`, { headers: { authorization: "x509" } })
    assert.strictEqual(bare.status, 401)
  })

  it("are read again when they have changed, at both doors", async () => {
    const [port] = ensemble.ports
    for (const door of [port!, admin]) assert.strictEqual(await subjectAt(door), "CN=localhost")
    keyStore(file("renewed.jks"), "JKS", ours.issue("renewed", "/CN=renewed"), ours.certFile)
    copyFileSync(file("renewed.jks"), file("server.jks"))
    assert.deepStrictEqual(readFileSync(file("server.jks")), readFileSync(file("renewed.jks")))
    for (const door of [port!, admin]) {
      const renewed = async () => ((await subjectAt(door)) === "CN=renewed" ? true : undefined)
      await eventually(renewed, `the new certificate at ${door}`, 60_000)
    }
    assert.match(await zkCli(["whoami"]), /x509: CN=alice/)
  })
})
