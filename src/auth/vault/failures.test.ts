import { expect, test } from 'vitest'
import { KeyManagementError } from '../../kms/keymanagement.ts'
import { FailedUnwraps } from './failures.ts'

const denied = new KeyManagementError('denied', 'not you')

test('what a key failed with is known for five seconds', () => {
  let now = 0
  const failures = new FailedUnwraps(() => now)
  failures.add('a', denied)
  now = 4999
  expect(failures.of('a')).toBe(denied)
  expect(failures.of('b')).toBeUndefined()
  // A failure that is told again is no new one.
  failures.add('a', denied)
  now = 5000
  expect(failures.of('a')).toBeUndefined()
})

test.each(['unreachable', 'throttled', 'refused'] as const)(
  'what passes by itself, or may be one value’s alone, is not kept: %s',
  (code) => {
    const failures = new FailedUnwraps(() => 0)
    failures.add('a', new KeyManagementError(code, 'later'))
    expect(failures.of('a')).toBeUndefined()
  },
)

test('of too many the eldest are forgotten', () => {
  const failures = new FailedUnwraps(() => 0)
  for (let key = 0; key < 1200; key++) failures.add(`${key}`, denied)
  expect([0, 199, 200, 1199].map((key) => failures.of(`${key}`))).toEqual([
    undefined,
    undefined,
    denied,
    denied,
  ])
})
