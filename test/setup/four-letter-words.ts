import { connect } from "node:net"

/** A four-letter word's answer; undefined when nobody takes the connection. */
export const fourLetterWord = (
  port: number,
  word: string,
  timeoutMs = 5000,
  host = "127.0.0.1"
): Promise<string | undefined> =>
  new Promise((resolve) => {
    let answer = ""
    let connected = false
    const socket = connect({ port, host }, () => {
      connected = true
      socket.write(word)
    })
    socket.setTimeout(timeoutMs, () => socket.destroy())
    socket.setEncoding("utf8")
    socket.on("data", (text: string) => (answer += text))
    // What was said before a reset still counts; a refused connection says nothing.
    socket.on("error", () => undefined)
    socket.on("close", () => resolve(connected ? answer : undefined))
  })

/** `mntr` as a table. */
export async function monitor(port: number): Promise<Map<string, string>> {
  const answer = (await fourLetterWord(port, "mntr")) ?? ""
  return new Map(
    answer.split("\n").flatMap((line) => {
      const [key, value] = line.split("\t")
      return key === undefined || value === undefined ? [] : [[key, value] as const]
    })
  )
}
