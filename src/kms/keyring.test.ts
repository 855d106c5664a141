import { expect, test, vi } from 'vitest'
import { type KeyManagement, KeyManagementError, type WrappedKey } from './keymanagement.ts'
import { Keyring } from './keyring.ts'
import { describeReference, type KeyReference, parseReference } from './reference.ts'

const arn = (id: string) => `arn:aws:kms:eu-west-1:111122223333:key/${id}`
const wrapped = (keyId: string): WrappedKey => {
  return { provider: 'aws', keyId, version: '1', ciphertext: Buffer.alloc(0) }
}
const reference = (line: string) => parseReference(line) as KeyReference

function aKeyring(options: { readonly defaultKey?: string; readonly defaultFails?: boolean } = {}) {
  const { defaultKey = 'aws:eu-west-1:alias/cardea', defaultFails = false } = options
  const describe = vi.fn(async () => {
    if (defaultFails) throw new KeyManagementError('disabled', 'the default key is disabled')
    return { keyId: arn('default'), version: '1' }
  })
  const opened: string[] = []
  const keyring = new Keyring({
    open: (key) => {
      const line = describeReference(key)
      opened.push(line)
      return {
        provider: key.provider,
        describe,
        unwrap: async () => Buffer.from(line),
      } as unknown as KeyManagement
    },
    defaultKey: reference(defaultKey),
    allowed: [
      { namespace: 'acme', key: 'aws:eu-west-1:alias/acme' },
      { namespace: 'acme', key: `aws:eu-west-1:${arn('acme')}` },
      { namespace: 'evil', key: `aws:eu-west-1:${arn('evil')}` },
      { namespace: '*', key: `aws:eu-west-1:${arn('former')}-*` },
    ],
  })
  const unwrap = (namespace: string | null, keyId: string) =>
    keyring
      .of(namespace)
      .unwrap(wrapped(keyId), {})
      .then(String, (error: KeyManagementError) => error.code)
  return { keyring, unwrap, describe, opened }
}

test.each([
  ['a key that is listed for the namespace', 'acme', arn('acme'), true],
  ['a key that is listed for another namespace', 'acme', arn('evil'), false],
  ['a key that is listed for all', 'acme', arn('former-1'), true],
  ['the same for what has no namespace', null, arn('former-1'), true],
  ['a key of a namespace for what has none', null, arn('acme'), false],
  ['the default key', 'acme', arn('default'), true],
  ['a key that nobody listed', 'acme', arn('stranger'), false],
  ['what is no name of a key', 'acme', 'alias/acme', false],
])('%s', async (_, namespace, keyId, opens) => {
  const { unwrap } = aKeyring()
  expect(await unwrap(namespace, keyId)).toBe(opens ? `aws:eu-west-1:${keyId}` : 'not_found')
})

test('a key of its own opens though the default key is disabled, and without asking it', async () => {
  const { unwrap, describe } = aKeyring({ defaultFails: true })
  expect(await unwrap('acme', arn('acme'))).toBe(`aws:eu-west-1:${arn('acme')}`)
  expect(describe).not.toHaveBeenCalled()
})

test('the default key is asked once what its alias leads to', async () => {
  const { unwrap, describe } = aKeyring()
  for (let i = 0; i < 5; i++) await unwrap('acme', arn('default'))
  expect(describe).toHaveBeenCalledTimes(1)
})

test('a default key that is set by its name is not asked at all', async () => {
  const { unwrap, describe } = aKeyring({ defaultKey: `aws:eu-west-1:${arn('default')}` })
  expect(await unwrap('acme', arn('default'))).toBe(`aws:eu-west-1:${arn('default')}`)
  expect(describe).not.toHaveBeenCalled()
})

test.each([
  ['acme', 'aws:eu-west-1:alias/acme', true],
  ['acme', 'aws:eu-west-1:alias/acme-not', false],
  ['acme', 'aws:eu-west-2:alias/acme', false],
  ['evil', 'aws:eu-west-1:alias/acme', false],
  ['evil', 'aws:eu-west-1:alias/cardea', true],
])('%s may choose %s: %s', (namespace, line, may) => {
  expect(aKeyring().keyring.allows(namespace, reference(line))).toBe(may)
})

test('no more keys are open than there is room for', () => {
  const { keyring, opened } = aKeyring()
  for (let i = 0; i < 300; i++) keyring.key(reference(`aws:eu-west-1:alias/key-${i}`))
  const before = opened.length
  keyring.key(reference('aws:eu-west-1:alias/key-299'))
  expect(opened.length).toBe(before)
  keyring.key(reference('aws:eu-west-1:alias/key-0'))
  expect(opened.length).toBe(before + 1)
})
