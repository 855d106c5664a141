import { SocketAddress } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { countersOf, locks, networkOfClient } from './lockout.ts'

const rules = { attempts: 5, duration: 900_000 }
const whoever = { email: 'a@acme.example', deviceId: undefined, address: '192.0.2.1' }
const kinds = (attempt: typeof whoever | Parameters<typeof countersOf>[0]) =>
  countersOf(attempt, rules).map(({ kind, limit, duration }) => [kind, limit, duration])

describe('an attempt is counted', () => {
  test('by the address it comes from, and then by the account', () => {
    expect(kinds(whoever)).toEqual([
      ['address', 50, 900],
      ['account', 5, 900],
    ])
  })
  test('by the account alone where the address cannot be told', () => {
    expect(kinds({ ...whoever, address: undefined })).toEqual([['account', 5, 900]])
  })
  test('by a known device, and by nothing that others can raise', () => {
    expect(kinds({ ...whoever, deviceId: 'x' })).toEqual([['device', 5, 900]])
    expect(kinds({ ...whoever, deviceId: 'x', byCode: true })).toEqual([['device', 5, 900]])
  })
  test('for a day as well when it is by a code, or for longer where the lock-out is', () => {
    const byCode = { ...whoever, byCode: true }
    expect(kinds(byCode)).toEqual([...kinds(whoever), ['code', 30, 86_400]])
    const longer = countersOf(byCode, { ...rules, duration: 172_800_000 })
    expect(longer.map(({ duration }) => duration)).toEqual([172_800, 172_800, 172_800])
  })
  test('by digests that differ by account, and not by address within one network', () => {
    const subject = (attempt: Parameters<typeof countersOf>[0], at: number) =>
      countersOf(attempt, rules)[at]?.subject.toString('hex')
    const six = { ...whoever, address: '2001:db8::1' }
    expect(subject(six, 0)).toBe(subject({ ...six, address: '2001:db8::ffff:1' }, 0))
    expect(subject(whoever, 1)).not.toBe(subject({ ...whoever, email: 'b@acme.example' }, 1))
    expect(subject(whoever, 1)).toHaveLength(64)
  })
})

test('exactly the attempt that reaches the limit locks', () => {
  const counter = { kind: 'account', subject: Buffer.alloc(32), limit: 5, duration: 900 } as const
  const locking = [1, 4, 5, 6].map((failures) => locks({ counter, failures, lockedFor: undefined }))
  expect(locking).toEqual([false, false, true, false])
  expect(locks({ counter, failures: 5, lockedFor: 100 })).toBe(false)
})

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['2001:db8:1:2:3::', '2001:db8:1:2::/64'],
  ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ['2001:db8:a:b::192.0.2.1', '2001:db8:a:b::/64'],
])('the client at %s is %s', (address, network) => {
  expect(networkOfClient(address)).toBe(network)
})

test('whoever has 64 bits of addresses is one client, and another network is another', () => {
  const groups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 4, maxLength: 4 })
  const spelled = (...parts: readonly (readonly number[])[]) => {
    const address = parts.flatMap((part) => part.map((group) => group.toString(16))).join(':')
    return new SocketAddress({ address, family: 'ipv6' }).address
  }
  fc.assert(
    fc.property(groups, groups, groups, groups, (network, other, first, second) => {
      const client = networkOfClient(spelled(network, first))
      expect(networkOfClient(spelled(network, second))).toBe(client)
      if (network.join() === other.join()) return
      expect(networkOfClient(spelled(other, first))).not.toBe(client)
    }),
  )
})
