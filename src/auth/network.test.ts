import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalAddress, Networks } from './network.ts'

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:c000:201', '192.0.2.1'],
  ['0:0:0:0:0:ffff:c000:0201', '192.0.2.1'],
  ['2001:DB8:0:0::1', '2001:db8::1'],
  ['::1', '::1'],
  ['fe80::1%eth0', undefined],
  ['192.0.2.256', undefined],
  ['192.0.2.01', undefined],
  ['192.0.2.1:80', undefined],
  ['3221225985', undefined],
  ['0xc0000201', undefined],
  ['', undefined],
  ['unknown', undefined],
])('%j is the address %s', (text, address) => {
  expect(canonicalAddress(text)).toBe(address)
})

test.each([
  [['10.0.0.0/8'], '10.255.0.1', true],
  [['10.0.0.0/8'], '11.0.0.1', false],
  [['10.0.0.0/8', '192.0.2.7/32'], '192.0.2.7', true],
  [['192.0.2.7/32'], '192.0.2.8', false],
  [['0.0.0.0/0'], '203.0.113.9', true],
  [['0.0.0.0/0'], '2001:db8::1', false],
  [['2001:db8::/32'], '2001:db8:ffff::1', true],
  [['2001:db8::/32'], '2001:db9::1', false],
  [['::/0'], '2001:db8::1', true],
  [['::/0'], '192.0.2.1', false],
  [['::/64'], '192.0.2.1', false],
  [['::/1', '10.0.0.0/8'], '192.0.2.1', false],
  [['::ffff:0:0/96'], '192.0.2.1', false],
  [['0.0.0.0/0'], '::1', false],
  [[], '192.0.2.1', false],
  [['nonsense'], '192.0.2.1', false],
  [['10.0.0.0'], '10.0.0.0', false],
  [['10.0.0.0/33'], '10.0.0.0', false],
])('of %j, %s is %s', (cidrs, address, answer) => {
  const networks = new Networks(cidrs)
  expect(networks.has(address)).toBe(answer)
  expect(networks.has(address)).toBe(answer)
})

test('what is remembered never differs from what is computed', () => {
  const networks = new Networks(['10.0.0.0/9', '2001:db8::/33'])
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const address = canonicalAddress(text)
      if (address === undefined) return
      expect(networks.has(address)).toBe(new Networks(['10.0.0.0/9', '2001:db8::/33']).has(address))
    }),
    { numRuns: 2000 },
  )
})
