import { dataOf, Session } from "../recorder/session.ts"

const RECONFIG = 16
const AUTH = 100

interface Change {
  readonly joining?: string
  readonly leaving?: string
  readonly members?: string
  readonly from?: bigint
}

/** What may be wrong with a reconfiguration, for an ensemble of three; `line(n)` is its n-th server. */
const wrong: Readonly<Record<string, (line: (sid: number) => string) => Change>> = {
  "another version": () => ({ leaving: "3", from: 5n }),
  "a version that is negative": () => ({ leaving: "3", from: -2n }),
  "too few left": () => ({ leaving: "1,2" }),
  "nobody left": () => ({ leaving: "1,2,3" }),
  "an id that is none": () => ({ leaving: "x" }),
  "a server without a value": () => ({ joining: "server.4" }),
  "a server with two values": () => ({ joining: "server.4=h:1:2=3" }),
  "an empty server": () => ({ joining: "server.4=" }),
  "no client port": () => ({ joining: "server.4=10.9.9.9:1:2" }),
  "no election port": () => ({ joining: "server.4=10.9.9.9:1;3" }),
  "a port that is none": () => ({ joining: "server.4=10.9.9.9:1:x;3" }),
  "an unknown role": () => ({ joining: "server.4=10.9.9.9:1:2:spectator;3" }),
  "a server without a number": () => ({ joining: "server.x=10.9.9.9:1:2;3" }),
  "two at one address": () => ({ joining: "server.4=10.9.9.9:1:2;3,server.5=10.9.9.9:1:9;4" }),
  "two at one port": () => ({ joining: "server.4=10.9.9.9:1:1;3,server.5=10.9.9.9:4:5;1" }),
  "newcomers who are not there": () => ({
    leaving: "1,2",
    joining: "server.4=10.9.9.9:1:2;3,server.5=10.9.9.9:4:5;6"
  }),
  "an empty membership": () => ({ members: "" }),
  "a lone member": (line) => ({ members: line(1) }),
  "a lone voter": (line) => ({ members: `${line(1)},${line(2).replace(":participant", ":observer")}` }),
  "no voter": (line) => ({ members: line(1).replace(":participant", ":observer") }),
  "an unknown setting": (line) => ({ members: [line(1), line(2), line(3), "tickTime=5"].join("\n") }),
  "a member's nonsense": (line) => ({ members: [line(1), line(2), "server.3=here"].join(",") }),
  "a group that is too small": (line) => ({ members: [line(1), line(2), line(3), "group.1=1:2"].join("\n") }),
  "a server in two groups": (line) => ({
    members: [line(1), line(2), line(3), "group.1=1:2", "group.2=2:3"].join("\n")
  }),
  "a membership that is not there": () => ({ members: "server.4=10.9.9.9:1:2;3,server.5=10.9.9.9:4:5;6" })
}

const ask = async (session: Session, { joining, leaving, members, from }: Change) => {
  const reply = await session.request(RECONFIG, (writer) => {
    for (const text of [joining, leaving, members]) {
      if (text === undefined) writer.int(-1)
      else writer.text(text)
    }
    return writer.long(from ?? -1n)
  })
  return reply
}

/** Asks for everything that can be wrong, first as anybody and then as the super user, and for what is right. */
export async function reconfigurations(port: number, credentials: string): Promise<Record<string, unknown>> {
  const session = await Session.open({ ports: [port], timeoutMs: 20_000 })
  const answers: Record<string, unknown> = {}
  const config = dataOf(await session.get("/zookeeper/config"))
  const lines = config.data.split("\n")
  // A server whose client port is in its own file alone has none in the configuration.
  const line = (sid: number) => {
    const found = lines.find((one) => one.startsWith(`server.${sid}=`))!
    return found.includes(";") ? found : `${found};127.0.0.1:${port}`
  }
  answers["config"] = { version: lines.at(-1), stat: config.stat.version }
  for (const who of ["anybody", "super"]) {
    if (who === "super") {
      const auth = Buffer.from(credentials)
      await session.request(AUTH, (writer) => writer.int(0).text("digest").buffer(auth), -4)
    } else answers["anybody: what could be"] = (await ask(session, { leaving: "3" })).error
    for (const [name, change] of Object.entries(wrong)) {
      answers[`${who}: ${name}`] = (await ask(session, change(line))).error
    }
  }
  const { error, body, zxid } = await ask(session, {})
  const text = body.buffer().toString()
  answers["the same again"] = {
    error,
    isVersion: text.endsWith(`\nversion=${zxid.toString(16)}`),
    stat: body.stat().version
  }
  const servers = text.split("\n").slice(0, -1)
  answers["its servers"] = servers.map((server) => server.replace(/;.*$/, "").replaceAll(/:\d+/g, ":port"))
  await session.close()
  return answers
}
