import { expect, test } from 'vitest'
import type { APIKey } from '../../api/v1alpha1/apikey.ts'
import { firstObjection } from './precondition.ts'

const creationTimestamp = '2026-01-01T00:00:00Z'
function objectionTo(
  spec: object,
  settings: Record<string, unknown> = {},
  allowPlainSecrets = false,
) {
  const apiKey = { metadata: { creationTimestamp }, spec: { scopes: ['a:read'], ...spec } }
  const organization = { name: 'acme', settings }
  return firstObjection({ apiKey: apiKey as unknown as APIKey, organization, allowPlainSecrets })
}
const catalogue = (...names: string[]) => ({ scopes: names.map((name) => ({ name })) })
const maxLifetime = { apiKeys: { maxLifetime: '30d' } }
const plain = { secretRef: { name: 'ci-key', format: 'Plain' } }

test.each<[string, object, Record<string, unknown>]>([
  ['an organization without a catalogue', {}, {}],
  ['a scope of the catalogue', {}, catalogue('a:read', 'b:read')],
  ['no scopes at all', { scopes: [] }, catalogue('b:read')],
  ['a lifetime to the very end', { expiresAt: '2026-01-31T00:00:00Z' }, maxLifetime],
  ['no end, where none is asked for', {}, {}],
  ['an envelope', { secretRef: { name: 'ci-key', format: 'Envelope' } }, {}],
])('there is nothing against %s', (_, spec, settings) => {
  expect(objectionTo(spec, settings)).toBeUndefined()
})

test('a scope outside the catalogue waits for another resource to change, and both are named', () => {
  const objection = objectionTo({ scopes: ['a:read', 'c:read', 'd:read'] }, catalogue('a:read'))
  expect(objection).toMatchObject({ wait: true, reason: 'ScopeNotFound' })
  expect(objection?.message).toContain('the scope c:read, d:read (it declares a:read)')
  expect(objectionTo({}, catalogue())?.message).toContain('(it declares none)')
})

test.each([[{}], [{ expiresAt: '2026-01-31T00:00:01Z' }]])(
  'a key of %j lives too long, and is told the latest end',
  (spec) => {
    const objection = objectionTo(spec, maxLifetime)
    expect(objection).toMatchObject({ wait: false, reason: 'LifetimeTooLong' })
    expect(objection?.message).toContain('set spec.expiresAt to 2026-01-31T00:00:00Z or earlier')
  },
)

test('a plain Secret needs the administrator', () => {
  expect(objectionTo(plain)).toMatchObject({ wait: false, reason: 'PlainSecretNotAllowed' })
  expect(objectionTo(plain, {}, true)).toBeUndefined()
})

test('what must be mended first is told first', () => {
  expect(objectionTo(plain, { ...catalogue(), ...maxLifetime })?.reason).toBe('ScopeNotFound')
  expect(objectionTo(plain, maxLifetime)?.reason).toBe('LifetimeTooLong')
})
