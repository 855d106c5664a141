import { describe, expect, test } from 'vitest'
import {
  chooseCredential,
  chooseSource,
  fingerprintOf,
  lastFourOf,
  modeOf,
  planVersions,
  valueProblem,
  versionInForce,
} from './providercredential.ts'

const mode = (name: unknown) => ({ providerCredentials: { mode: name } })

test.each<[string, Record<string, unknown>, Record<string, unknown> | undefined, string]>([
  ['nothing is set', {}, undefined, 'VaultOnly'],
  ['the organization says so', mode('Either'), undefined, 'Either'],
  ['the project says otherwise', mode('Either'), mode('BringYourOwn'), 'BringYourOwn'],
  ['the project says nothing', mode('Either'), {}, 'Either'],
  ['the project names no mode', mode('Either'), { providerCredentials: {} }, 'Either'],
  ['the project names one that is not known', mode('Either'), mode('Anything'), 'VaultOnly'],
  ['the settings are no object', { providerCredentials: 'Either' }, undefined, 'VaultOnly'],
])('the mode when %s', (_, organization, project, expected) => {
  expect(modeOf(organization, project)).toBe(expected)
})

test.each([
  ['VaultOnly', true, 'own_credential_not_allowed'],
  ['VaultOnly', false, 'vault'],
  ['BringYourOwn', true, 'own'],
  ['BringYourOwn', false, 'own_credential_required'],
  ['Either', true, 'own'],
  ['Either', false, 'vault'],
] as const)('%s, with an own credential: %s', (given, own, expected) => {
  expect(chooseSource(given, own)).toBe(expected)
})

describe('the credential', () => {
  const organizations = { id: '2', projectId: null }
  const younger = { id: '3', projectId: null }
  const scanners = { id: '4', projectId: 'scanner' }
  const all = [younger, scanners, organizations]

  test.each([
    ["of a project comes before the organization's", all, 'scanner', scanners],
    ["of another project is nobody's", all, 'billing', organizations],
    ["of a project is not the organization's", [scanners], undefined, undefined],
    ['is the oldest of several', all, undefined, organizations],
    ['is missing where there is none', [], 'scanner', undefined],
  ] as const)('%s', (_, candidates, project, expected) => {
    expect(chooseCredential(candidates, project)).toBe(expected)
  })
})

test.each([
  ['text', Buffer.from('sk-ünïcödé\n'), undefined],
  ['nothing', Buffer.alloc(0), 'empty'],
  ['the most', Buffer.alloc(65_536, 'a'), undefined],
  ['one byte more', Buffer.alloc(65_537, 'a'), 'too_long'],
  ['a NUL', Buffer.from('a\0b'), 'not_text'],
  ['bytes that are no UTF-8', Buffer.from([0xff, 0xfe]), 'not_text'],
])('a value that is %s', (_, value, problem) => {
  expect(valueProblem(value)).toBe(problem)
})

test('a fingerprint depends on the key, the organization and the value', () => {
  const key = Buffer.alloc(32, 1)
  const value = Buffer.from('sk-1')
  const fingerprint = fingerprintOf(key, 'a', value)
  expect(fingerprint).toMatch(/^[0-9a-f]{16}$/)
  expect(fingerprintOf(key, 'a', value)).toBe(fingerprint)
  expect(fingerprintOf(Buffer.alloc(32, 2), 'a', value)).not.toBe(fingerprint)
  expect(fingerprintOf(key, 'b', value)).not.toBe(fingerprint)
  expect(fingerprintOf(key, 'a', Buffer.from('sk-2'))).not.toBe(fingerprint)
})

test.each([
  ['0123456789abcdef', 'cdef'],
  ['0123456789abcde', undefined],
  ['0123456789abcdef\n', undefined],
  ['0123456789äöüß', undefined],
])('of %j people are shown %j', (value, shown) => {
  expect(lastFourOf(value)).toBe(shown)
})

describe('versions', () => {
  const at = new Date(0)
  const version = (number: number, revokedAt: Date | null = null) => ({
    id: `v${number}`,
    version: number,
    revokedAt,
  })

  test('the first is 1', () => {
    expect(planVersions([])).toEqual({ next: 1, revoke: [], remove: [] })
  })

  test('the one in force is revoked, and those before the last two go', () => {
    const versions = [version(1, at), version(3), version(2, at)]
    expect(planVersions(versions)).toEqual({ next: 4, revoke: ['v3'], remove: ['v1'] })
  })

  test('one that was brought back by hand is revoked again', () => {
    expect(planVersions([version(2), version(1)]).revoke).toEqual(['v2', 'v1'])
  })

  test('in force is the newest that is not revoked', () => {
    expect(versionInForce([version(1), version(2), version(3, at)])?.id).toBe('v2')
    expect(versionInForce([version(1, at)])).toBeUndefined()
  })
})
