import { expect, test } from 'vitest'
import { KeyManagementError } from '../kms/keymanagement.ts'
import { KeyNotAllowedError } from './dependencies.ts'
import { keyTrouble } from './keytrouble.ts'

const now = new Date('2026-01-01T00:00:00Z')
const context = { now: () => now }
const after = (seconds: number) => new Date(now.getTime() + seconds * 1000)

test('a key that cannot be reached is waited for, and looked at again after a while', () => {
  const away = new KeyManagementError('unreachable', 'it is away')
  expect(keyTrouble(away, context)).toMatchObject({
    outcome: 'waiting',
    reason: 'KeyManagementUnavailable',
    requeueAt: after(30),
  })
})

test('one whose key manager was not even asked is looked at as soon as it is', () => {
  const leftAlone = new KeyManagementError('unreachable', 'it is left alone', { again: 4000 })
  expect(keyTrouble(leftAlone, context)).toMatchObject({ outcome: 'waiting', requeueAt: after(4) })
})

test('what somebody must act on stalls, with the remedy for who has the key from an organization', () => {
  const gone = new KeyManagementError('not_found', 'there is no key')
  expect(keyTrouble(gone, context)).toMatchObject({
    outcome: 'stalled',
    reason: 'KeyNotFound',
    message: expect.stringContaining('makes it again'),
    requeueAt: after(30),
  })
  const forbidden = new KeyNotAllowedError('acme', 'local')
  expect(keyTrouble(forbidden, context)).toMatchObject({
    outcome: 'stalled',
    reason: 'KeyNotAllowed',
    message: expect.stringContaining('acme=local'),
  })
})
