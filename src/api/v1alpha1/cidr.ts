import { isIPv4, isIPv6 } from 'node:net'
import { withRules } from './rule.ts'
import { text } from './text.ts'

/** A network of addresses, IPv4 or IPv6, without host bits. */
export function cidr(field: string) {
  return withRules(
    text(49).meta({ title: 'network' }),
    {
      cel: 'isCIDR(self)',
      message: `${field} must hold networks in CIDR notation, for example 10.0.0.0/8, 203.0.113.7/32 or 2001:db8::/32`,
      holds: (value) => readNetwork(value) !== undefined,
    },
    {
      // Two networks that differ in their host bits are one, and which of them was meant cannot be told.
      cel: '!isCIDR(self) || cidr(self) == cidr(self).masked()',
      message: `${field} must hold networks without host bits: write 10.0.0.0/8 for the network of 10.1.2.3/8, or 10.1.2.3/32 for the one address`,
      holds: (value) => {
        const network = readNetwork(value)
        return network === undefined || (network.address & (2n ** network.hostBits - 1n)) === 0n
      },
    },
  )
}

interface Network {
  readonly address: bigint
  readonly hostBits: bigint
}

function readNetwork(value: string): Network | undefined {
  const [ip = '', prefix = '', ...rest] = value.split('/')
  if (rest.length > 0 || !/^(0|[1-9][0-9]{0,2})$/.test(prefix)) return undefined
  const bits = isIPv4(ip) ? 32 : isIPv6(ip) ? 128 : 0
  if (bits === 0 || Number(prefix) > bits || ip.includes('%')) return undefined
  const address = bits === 32 ? readIPv4(ip) : readIPv6(ip)
  // The API server refuses an IPv4 address in IPv6's clothes: it is written as IPv4.
  if (bits === 128 && address >> 32n === 0xffffn) return undefined
  return { address, hostBits: BigInt(bits - Number(prefix)) }
}

function readIPv4(ip: string): bigint {
  return ip.split('.').reduce((address, octet) => address * 256n + BigInt(octet), 0n)
}

function readIPv6(ip: string): bigint {
  const groups = (part: string | undefined): bigint[] =>
    (part ?? '')
      .split(':')
      .filter((group) => group !== '')
      .flatMap((group) =>
        group.includes('.')
          ? [readIPv4(group) >> 16n, readIPv4(group) & 0xffffn]
          : [BigInt(`0x${group}`)],
      )
  const [head, tail] = ip.split('::')
  const [before, after] = [groups(head), groups(tail)]
  const zeros = Array<bigint>(8 - before.length - after.length).fill(0n)
  return [...before, ...zeros, ...after].reduce((address, group) => address * 65_536n + group, 0n)
}
