import { execFile } from "node:child_process"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PassThrough } from "node:stream"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { OpCode } from "@zkmesh/protocol"
import { runConsole } from "@zkmesh/service-console"
import { afterAll, beforeAll } from "vitest"
import { type Exchange, type ScriptedServer, startScripted } from "../../../libs/client/test/scripted.ts"

const STAT = [1, 2, 3, 4, 5, 6, 7, 0, 9, 10, 11] as const

const answer = ({ xid, op, send }: Exchange): void =>
  send((w) => {
    const at = w.beginReply(xid, 5, 0)
    if (op === OpCode.getData) {
      w.buffer(Buffer.from("secret data"))
      w.stat(...STAT)
    }
    w.endFrame(at)
  })

describe("the console at a server that speaks TLS and wants certificates", () => {
  let directory = ""
  let server: ScriptedServer
  const file = (name: string): string => join(directory, name)

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "console-tls-"))
    const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    await promisify(execFile)("openssl", ["req", ...kind, ...names, "-keyout", file("key"), "-out", file("cert")])
    const [key, cert] = [await readFile(file("key"), "utf8"), await readFile(file("cert"), "utf8")]
    await writeFile(file("both"), cert + key)
    server = await startScripted(answer, { key, cert, ca: cert, requestCert: true, rejectUnauthorized: true })
  })
  afterAll(async () => {
    await server.close()
    await rm(directory, { recursive: true })
  })

  const get = async (...options: ReadonlyArray<string>) => {
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
    const argv = ["-server", server.address, "-timeout", "1500", ...options, "get", "/a"]
    const code = await runConsole(argv, { stdin, stdout, stderr }, undefined)
    return { code, out: String(stdout.read() ?? ""), err: String(stderr.read() ?? "") }
  }
  const SERVED = { code: 0, out: "secret data\n", err: "" }

  it("shows its certificate and checks the server's, by flags", async () => {
    assert.deepStrictEqual(await get("-ca", file("cert"), "-cert", file("cert"), "-key", file("key")), SERVED)
    assert.deepStrictEqual(await get("-ca", file("cert"), "-cert", file("both")), SERVED)
  })

  it("does so by ZooKeeper's client configuration", async () => {
    const lines = [
      "zookeeper.client.secure=true",
      "zookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty",
      `zookeeper.ssl.trustStore.location=${file("cert")}`,
      `zookeeper.ssl.keyStore.location=${file("both")}`
    ]
    await writeFile(file("client.cfg"), lines.join("\n"))
    assert.deepStrictEqual(await get("-client-configuration", file("client.cfg")), SERVED)
  })

  it("gets nowhere without a certificate of its own, with a server that it cannot trust, or in plain", async () => {
    assert.strictEqual((await get("-ca", file("cert"))).code, 1)
    const wary = await get("-tls", "-cert", file("both"))
    assert.strictEqual(wary.code, 1)
    assert.match(wary.err, /no connection within 1500 ms.*self-signed/)
    assert.strictEqual((await get()).code, 1)
  })
})
