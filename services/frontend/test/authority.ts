/** A certificate authority of a test's own, made by openssl. */
import { execFileSync } from "node:child_process"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

const openssl = (...args: ReadonlyArray<string>): void => {
  execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] })
}

export interface Issued {
  /** PEM texts. */
  readonly cert: string
  readonly key: string
  /** Where they are. */
  readonly certFile: string
  readonly keyFile: string
}

export class Authority {
  private readonly directory: string
  /** PEM text. */
  readonly cert: string

  private constructor(directory: string) {
    this.directory = directory
    this.cert = readFileSync(join(directory, "ca.pem"), "utf8")
  }

  static make(parent: string, name: string): Authority {
    const directory = join(parent, name)
    const file = (one: string) => join(directory, one)
    mkdirSync(directory)
    writeFileSync(file("index.txt"), "")
    writeFileSync(file("serial"), "01\n")
    const settings = [
      "[ca]\ndefault_ca=own\n[own]",
      `new_certs_dir=${directory}\ndatabase=${file("index.txt")}\nserial=${file("serial")}`,
      `certificate=${file("ca.pem")}\nprivate_key=${file("ca.key")}`,
      "default_md=sha256\ndefault_days=2\ndefault_crl_days=2\nunique_subject=no\npreserve=yes\ncopy_extensions=copy",
      "policy=any\n[any]\ncountryName=optional\norganizationName=optional\ncommonName=supplied\n"
    ]
    writeFileSync(file("ca.cnf"), settings.join("\n"))
    const extension = ["-addext", "basicConstraints=critical,CA:TRUE"]
    openssl(
      "req",
      "-x509",
      ...KEY,
      "-days",
      "2",
      "-subj",
      `/CN=${name}`,
      ...extension,
      "-keyout",
      file("ca.key"),
      "-out",
      file("ca.pem")
    )
    return new Authority(directory)
  }

  get certFile(): string {
    return join(this.directory, "ca.pem")
  }

  issue(
    name: string,
    subject: string,
    options: { readonly isExpired?: boolean; readonly names?: string } = {}
  ): Issued {
    const file = (end: string) => join(this.directory, `${name}.${end}`)
    const names = ["-addext", `subjectAltName=${options.names ?? "IP:127.0.0.1,DNS:localhost"}`]
    openssl("req", ...KEY, "-subj", subject, ...names, "-keyout", file("key"), "-out", file("csr"))
    const dates = options.isExpired === true ? ["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"] : []
    this.ca("-in", file("csr"), "-out", file("pem"), "-notext", ...dates)
    const texts = { cert: readFileSync(file("pem"), "utf8"), key: readFileSync(file("key"), "utf8") }
    return { ...texts, certFile: file("pem"), keyFile: file("key") }
  }

  /** The list of the revoked ones, this one among them; PEM text. */
  revoke(issued: Issued): string {
    const list = join(this.directory, "crl.pem")
    this.ca("-revoke", issued.certFile)
    this.ca("-gencrl", "-out", list)
    return readFileSync(list, "utf8")
  }

  private ca(...args: ReadonlyArray<string>): void {
    openssl("ca", "-batch", "-config", join(this.directory, "ca.cnf"), ...args)
  }
}
