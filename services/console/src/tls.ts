import { readFile } from "node:fs/promises"
import type { ConnectionOptions } from "node:tls"
import { UsageError } from "./words.ts"

/** Where a client's certificates are, as the command line or a client configuration says. All files are PEM. */
export interface TlsFiles {
  readonly enabled: boolean
  /** Who may sign the server's certificate; the system's authorities if left out. */
  readonly ca?: string | undefined
  /** The certificate that the client shows, and its key: one file may hold both. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly password?: string | undefined
  /** Whether the server's certificate has to name the host that was dialled. */
  readonly verifyHost: boolean
}

export const PLAIN: TlsFiles = { enabled: false, verifyHost: true }

const read = async (what: string, path: string): Promise<string> => {
  let text: string
  try {
    text = await readFile(path, "utf8")
  } catch (error) {
    throw new UsageError(`${what} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (!text.includes("-----BEGIN ")) throw new UsageError(`${what}: ${path} is no PEM file`)
  return text
}

/** What to dial with; undefined for a plain connection. A UsageError names the file that is of no use. */
export const tlsOptions = async (files: TlsFiles): Promise<ConnectionOptions | undefined> => {
  if (!files.enabled) return undefined
  const { ca, cert, key, password, verifyHost } = files
  const pem = cert === undefined ? undefined : await read("the certificate", cert)
  return {
    ...(ca === undefined ? {} : { ca: await read("the trust store", ca) }),
    ...(pem === undefined ? {} : { cert: pem, key: key === undefined ? pem : await read("the key", key) }),
    ...(password === undefined ? {} : { passphrase: password }),
    ...(verifyHost ? {} : { checkServerIdentity: () => undefined })
  }
}

/** ZooKeeper's client properties as far as they are about TLS; others mean nothing to this client. */
export const readClientConfiguration = async (path: string, before: TlsFiles): Promise<TlsFiles> => {
  // Loaded here alone: the shell starts faster without it.
  const { parseProperties } = await import("@zkmesh/config")
  let text: string
  try {
    text = await readFile(path, "utf8")
  } catch (error) {
    throw new UsageError(
      `-client-configuration cannot be read: ${error instanceof Error ? error.message : String(error)}`
    )
  }
  const given = new Map(parseProperties(text).map(({ key, value }) => [key.trim(), value.trim()]))
  const ssl = (name: string): string | undefined => given.get(`zookeeper.ssl.${name}`)
  const keyStore = ssl("keyStore.location")
  return {
    enabled: before.enabled || given.get("zookeeper.client.secure") === "true",
    ca: before.ca ?? ssl("trustStore.location"),
    cert: before.cert ?? keyStore,
    key: before.key,
    password: before.password ?? ssl("keyStore.password"),
    verifyHost: before.verifyHost && ssl("hostnameVerification") !== "false"
  }
}
