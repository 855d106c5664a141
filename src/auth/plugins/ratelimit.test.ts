import { isIPv6 } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalAddress } from '../network.ts'
import { networkOf } from './ratelimit.ts'

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['2001:db8:0:0:1::', '2001:db8:0:0::/64'],
])('%s is one client of %s', (address, network) => {
  expect(networkOf(address)).toBe(network)
})

test('whoever has 64 bits of addresses has one limit, and another network has another', () => {
  const groups = (length: number) =>
    fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: length, maxLength: length })
  const spelled = (all: readonly number[]) =>
    canonicalAddress(all.map((group) => group.toString(16)).join(':')) ?? ''
  fc.assert(
    fc.property(groups(4), groups(4), groups(4), groups(4), (network, other, first, second) => {
      fc.pre(spelled([...network, ...first]).includes(':'))
      fc.pre(spelled([...network, ...second]).includes(':'))
      const key = networkOf(spelled([...network, ...first]))
      expect(networkOf(spelled([...network, ...second]))).toBe(key)
      expect(isIPv6(key.slice(0, -'/64'.length))).toBe(true)
      if (network.join() !== other.join()) {
        expect(networkOf(spelled([...other, ...first]))).not.toBe(key)
      }
    }),
  )
})
