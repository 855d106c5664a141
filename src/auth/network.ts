import { BlockList, isIP, SocketAddress } from 'node:net'

const maxRemembered = 512

/**
 * The one spelling of an IP address; an IPv4 address in IPv6's clothes (RFC 4291, section 2.5.5.2) is the IPv4 address.
 * @returns undefined when the text is no address, or is one that means something on one link only (`%eth0`)
 */
export function canonicalAddress(text: string): string | undefined {
  const family = isIP(text)
  if (family === 4) return text
  if (family === 0 || text.includes('%')) return undefined
  const { address } = new SocketAddress({ address: text, family: 'ipv6' })
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}

/** A set of networks. It remembers what it was asked last, since the same few addresses ask again and again. */
export class Networks {
  /** Each family for itself: in one list, `::/0` holds every IPv4 address, as `::ffff:0:0/96` is a part of it. */
  readonly #ipv4 = new BlockList()
  readonly #ipv6 = new BlockList()
  readonly #remembered = new Map<string, boolean>()

  /** @param cidrs what cannot be read matches nobody, because a limit that is not understood must not let anybody in */
  constructor(cidrs: readonly string[]) {
    for (const cidr of cidrs) {
      const [address = '', prefix = ''] = cidr.split('/')
      const family = isIP(address)
      const bits = /^[0-9]{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN
      if (family === 0 || !(bits <= (family === 4 ? 32 : 128))) continue
      if (family === 4) this.#ipv4.addSubnet(address, bits, 'ipv4')
      else this.#ipv6.addSubnet(address, bits, 'ipv6')
    }
  }

  /** @param address in its canonical spelling */
  has(address: string): boolean {
    const remembered = this.#remembered.get(address)
    if (remembered !== undefined) return remembered
    const answer = address.includes(':')
      ? this.#ipv6.check(address, 'ipv6')
      : this.#ipv4.check(address, 'ipv4')
    // Somebody who comes from ever new addresses must not fill the memory.
    if (this.#remembered.size >= maxRemembered) this.#remembered.clear()
    this.#remembered.set(address, answer)
    return answer
  }
}
