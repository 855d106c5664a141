import { expect, test } from 'vitest'
import { transitKey } from '../../../test/support/transitkey.ts'
import type { KeyManagement } from '../../kms/keymanagement.ts'
import { Keyring } from '../../kms/keyring.ts'
import { probe } from './probe.ts'

const arn = 'arn:aws:kms:eu-west-1:111122223333:key/1234'
const alias = { provider: 'aws', region: 'eu-west-1', keyId: 'alias/acme' } as const
const resource = { namespace: 'acme', name: 'primary' }

/** A key of AWS as an alias leads to it. */
function awsKey(change: Partial<KeyManagement> = {}): KeyManagement {
  const key = transitKey('acme')
  return {
    provider: 'aws',
    wrap: async (...given) => ({ ...(await key.wrap(...given)), provider: 'aws', keyId: arn }),
    unwrap: (wrapped, context) => key.unwrap(wrapped, context),
    describe: async () => ({ ...(await key.describe()), keyId: arn }),
    ...change,
  }
}

const keyringWith = (key: KeyManagement, ...lines: readonly string[]): Keyring =>
  new Keyring({
    defaultKey: { provider: 'local' },
    open: () => key,
    allowed: lines.map((line) => ({ namespace: 'acme', key: line })),
  })

test('an alias is known by the name of its key', async () => {
  const keyring = keyringWith(awsKey(), 'aws:eu-west-1:alias/acme', `aws:eu-west-1:${arn}`)
  expect(await probe(keyring, alias, resource)).toEqual({ keyId: arn, version: '1' })
})

test('an alias is not enough: envelopes would name a key that may not be used', async () => {
  const keyring = keyringWith(awsKey(), 'aws:eu-west-1:alias/acme')
  expect(await probe(keyring, alias, resource)).toMatchObject({
    reason: 'KeyNotAllowed',
    message: expect.stringContaining(`acme=aws:eu-west-1:${arn} to kms.allowedKeys`),
  })
})

test("what another namespace may use is refused, and the key's provider is not asked", async () => {
  const ask = () => Promise.reject(new Error('it was asked'))
  const keyring = keyringWith(awsKey({ describe: ask, wrap: ask }), 'aws:eu-west-1:*')
  const elsewhere = { namespace: 'other', name: 'primary' }
  const found = await probe(keyring, alias, elsewhere)
  expect(found).toMatchObject({ reason: 'KeyNotAllowed', passes: false })
})

test('a key manager that gives back another data key is not trusted', async () => {
  const key = awsKey({ unwrap: async () => Buffer.alloc(32, 7) })
  expect(await probe(keyringWith(key, '*'), alias, resource)).toMatchObject({
    reason: 'KeyUnsuitable',
  })
})

test('what is no fault of a key manager is thrown', async () => {
  const key = awsKey({ describe: () => Promise.reject(new TypeError('a bug')) })
  await expect(probe(keyringWith(key, '*'), alias, resource)).rejects.toThrow('a bug')
})
