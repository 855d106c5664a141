import { expect, test } from 'vitest'
import { limitsOfRegistration, objectionsToOrganization } from './registration.ts'

const [name, reserved, displayName] = [
  'The short name must be 2 to 63 lower-case letters, digits and inner hyphens.',
  'This short name is kept for the service itself.',
  'The name of the organization must be one line of 1 to 120 characters.',
]

test.each([
  ['acme', 'Acme Inc.', []],
  ['a1', 'A', []],
  ['a'.repeat(63), 'x'.repeat(120), []],
  ['a', 'Acme', [name]],
  ['Acme', 'Acme', [name]],
  ['-acme', 'Acme', [name]],
  ['acme-', 'Acme', [name]],
  ['ac me', 'Acme', [name]],
  ['ac.me', 'Acme', [name]],
  ['a'.repeat(64), 'Acme', [name]],
  ['admin', 'Acme', [reserved]],
  ['login', 'Acme', [reserved]],
  ['xn--acme', 'Acme', [reserved]],
  ['acme', '', [displayName]],
  ['acme', '  ', [displayName]],
  ['acme', 'x'.repeat(121), [displayName]],
  ['acme', 'Acme\nInc.', [displayName]],
  ['acme', 'Acme\u202eexe', [displayName]],
])('%s, %j', (short, long, expected) => {
  expect(objectionsToOrganization(short, long)).toEqual(expected)
})

test('a client is its IPv4 address or its /64 of IPv6, and where nobody says who asks there is more', () => {
  const [one, same, other] = ['2001:db8::1', '2001:db8::ffff:2', '2001:db8:0:1::1'].map(
    limitsOfRegistration,
  )
  expect(one).toEqual(same)
  expect(one?.network).not.toEqual(other?.network)
  expect(one?.network).toHaveLength(32)
  expect(one?.limits).toEqual({ byEmail: 3, byNetwork: 20, window: 3600 })
  expect(limitsOfRegistration(undefined).limits).toEqual({
    byEmail: 3,
    byNetwork: 200,
    window: 3600,
  })
})
