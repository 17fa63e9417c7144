/** An IPv4 address that came by an IPv6 socket is still an IPv4 address. */
export const plainAddress = (address: string | undefined): string =>
  address === undefined ? "" : address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address
