/** The knobs of TLS: what a server shows, whom it trusts, and what it speaks. */
import * as Schema from "effect/Schema"
import { flag, INT, knob, mapped, maybe, ours, positive, text, whole, words, zookeeper } from "./knob.ts"

/** How JKS, PKCS #12 and PEM files are named in Java, where the ends of their names do not say. */
const storeType = Schema.String.check(Schema.isPattern(/^(JKS|PKCS12|PEM|BCFKS)$/i, { expected: "JKS, PKCS12 or PEM" }))

const versions = words.check(
  Schema.makeFilter((list: ReadonlyArray<string>) =>
    list.length > 0 && list.every((version) => version === "TLSv1.2" || version === "TLSv1.3")
      ? undefined
      : "expected TLSv1.2 or TLSv1.3, or both"
  )
)

const TYPE = "what it is, if its name's end (.pem, .jks, .p12, .pfx) does not say so"

const clientStores = {
  "ssl.keyStore.location": maybe(text, zookeeper("path", "the certificate with its key: PEM, JKS or PKCS #12")),
  "ssl.keyStore.type": maybe(storeType, zookeeper("PEM, JKS, PKCS12", TYPE)),
  "ssl.keyStore.password": maybe(text, zookeeper("text", "of the store and its keys, or of the PEM file's key")),
  "ssl.keyStore.passwordPath": maybe(text, zookeeper("path", "a file that holds this password")),
  "ssl.trustStore.location": maybe(
    text,
    zookeeper("path", "those who may sign clients' certificates: PEM, JKS or PKCS #12")
  ),
  "ssl.trustStore.type": maybe(storeType, zookeeper("PEM, JKS, PKCS12", TYPE)),
  "ssl.trustStore.password": maybe(text, zookeeper("text", "of the store, unless it is a PEM file")),
  "ssl.trustStore.passwordPath": maybe(text, zookeeper("path", "a file that holds this password"))
}

const quorumStores = {
  "ssl.quorum.keyStore.location": maybe(text, {
    ...mapped("path", "what the admin server shows by HTTPS, as in ZooKeeper; peers meet over the bus (nats.tls.ca)"),
    otherwise: "as ssl.keyStore and ssl.trustStore"
  }),
  "ssl.quorum.keyStore.type": maybe(storeType, zookeeper("PEM, JKS, PKCS12", TYPE)),
  "ssl.quorum.keyStore.password": maybe(text, zookeeper("text", "of the store and its keys")),
  "ssl.quorum.keyStore.passwordPath": maybe(text, zookeeper("path", "a file that holds this password")),
  "ssl.quorum.trustStore.location": maybe(
    text,
    mapped("path", "those who may sign the certificates of the admin server's clients")
  ),
  "ssl.quorum.trustStore.type": maybe(storeType, zookeeper("PEM, JKS, PKCS12", TYPE)),
  "ssl.quorum.trustStore.password": maybe(text, zookeeper("text", "of the store, unless it is a PEM file")),
  "ssl.quorum.trustStore.passwordPath": maybe(text, zookeeper("path", "a file that holds this password")),
  "ssl.quorum.crlFile": maybe(text, ours("path", "a PEM file of certificates that have been revoked")),
  sslQuorumReloadCertFiles: knob(
    flag,
    "false",
    mapped("true or false", "the admin server reads its certificates again when their files change")
  )
}

const revocation = {
  "ssl.crlFile": maybe(text, ours("path", "a PEM file of certificates that have been revoked")),
  "ssl.crl": knob(
    flag,
    "false",
    mapped("true or false", "clients' certificates may be revoked: needs ssl.crlFile, for nothing is fetched")
  ),
  "ssl.ocsp": knob(
    flag,
    "false",
    mapped("true or false", "true is refused: nobody is asked about a certificate; use ssl.crlFile")
  )
}

const names = {
  "ssl.hostnameVerification": knob(flag, "true", zookeeper("true or false", "false: nor are clients' names verified")),
  "ssl.clientHostnameVerification": knob(
    flag,
    "false",
    zookeeper("true or false", "a client's certificate has to name the address that it comes from")
  ),
  "ssl.allowReverseDnsLookup": knob(
    flag,
    "false",
    zookeeper("true or false", "or a name that the address has, says the name service")
  ),
  "ssl.authProvider": knob(
    Schema.Literals(["x509"]),
    "x509",
    zookeeper("choice", "the scheme by which a client's certificate says who it is")
  )
}

const door = {
  "client.portUnification": knob(
    flag,
    "false",
    zookeeper("true or false", "clientPort takes TLS clients as well as plain ones")
  ),
  "client.certReload": knob(
    flag,
    "false",
    zookeeper(
      "true or false",
      "certificates are read again when their files change, and no connection is dropped for it"
    )
  ),
  "ssl.clientAuth": knob(
    Schema.Literals(["none", "want", "need"]),
    "need",
    zookeeper("choice", "whether clients prove who they are by a certificate")
  ),
  "ssl.protocol": maybe(
    Schema.Literals(["TLSv1.3", "TLSv1.2", "TLS"]),
    zookeeper("TLS version", "the one that is spoken; TLS: any of them")
  ),
  "ssl.enabledProtocols": maybe(versions, {
    ...zookeeper("list", "the TLS versions that are spoken"),
    otherwise: "ssl.protocol, else TLSv1.2,TLSv1.3"
  }),
  "ssl.ciphersuites": maybe(words, {
    ...zookeeper("list", "cipher suites, by Java's or OpenSSL's names"),
    otherwise: "Node's"
  }),
  "ssl.handshakeDetectionTimeoutMillis": knob(
    positive,
    "5000",
    zookeeper("ms", "how long a client of a unified port may take for its first byte")
  ),
  "netty.server.outstandingHandshake.limit": knob(
    whole(-1, INT),
    "-1",
    zookeeper("handshakes", "under way at once, beyond which new connections are closed; -1: no limit")
  ),
  "X509AuthenticationProvider.superUser": maybe(
    text,
    zookeeper("name", "the subject of the client certificate that may do everything")
  )
}

export const tlsKnobs = { ...door, ...clientStores, ...revocation, ...names, ...quorumStores }
