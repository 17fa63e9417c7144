import type { X509Certificate } from "node:crypto"
import { lookupService } from "node:dns/promises"

/**
 * Whether a client's certificate names the address that it comes from, or (`reverseDns`) a name that the address has. A name
 * service that fails proves nothing, and so the answer is no.
 */
export const isNamedBy = async (
  certificate: X509Certificate,
  address: string,
  reverseDns: boolean
): Promise<boolean> => {
  const plain = address.replace(/^::ffff:/, "")
  if (certificate.checkIP(plain) !== undefined) return true
  if (!reverseDns) return false
  return lookupService(plain, 0).then(
    ({ hostname }) => certificate.checkHost(hostname) !== undefined,
    () => false
  )
}
