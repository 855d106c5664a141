import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { keyringOf } from '../../../test/support/keyring.ts'
import type { APIKey } from '../../api/v1alpha1/apikey.ts'
import { localKeyManagement } from '../../kms/local.ts'
import { readerFor } from './reader.ts'

test('each envelope that is opened leaves a line: by which key, whose it is, and what for', async () => {
  const lines: object[] = []
  const info = (fields: object, msg: string) => void lines.push({ ...fields, msg })
  const logger = { debug: info, info, warn: info, error: info }
  const file = randomBytes(32).toString('base64')
  const kms = localKeyManagement(() => file)
  const apiKey = { metadata: { namespace: 'acme', name: 'ci' } } as APIKey
  const reader = readerFor({ keyring: keyringOf(kms), logger }, apiKey, 'to look')
  const dataKey = randomBytes(32)
  const wrapped = await kms.wrap(dataKey, { a: '1' })
  expect(await reader.unwrap(wrapped, { a: '1' })).toEqual(dataKey)
  await expect(reader.unwrap(wrapped, { a: '2' })).rejects.toMatchObject({ code: 'refused' })
  const { provider, keyId, version } = wrapped
  expect(lines).toEqual([
    {
      namespace: 'acme',
      name: 'ci',
      provider,
      keyId,
      version,
      purpose: 'to look',
      msg: 'the envelope of an API key was unwrapped',
    },
  ])
})
