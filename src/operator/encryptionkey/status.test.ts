import { expect, test } from 'vitest'
import type { EncryptionKey } from '../../api/v1alpha1/encryptionkey.ts'
import type { KekVersion, WrappedCount } from '../../db/encryption.ts'
import { encryptionKeyStatus, usageOf } from './status.ts'

const reference = { provider: 'vault', mount: 'transit', name: 'acme' } as const
const kek = (version: string, keyId = 'transit/acme'): KekVersion => ({
  provider: 'vault',
  keyId,
  version,
})
const counted = (
  wrapped: number,
  by: KekVersion | undefined,
  encryptionKey: unknown = reference,
): WrappedCount => ({
  organizationId: 'o',
  namespace: 'acme',
  name: 'acme',
  encryptionKey,
  kek: by,
  wrapped,
})

test.each([
  ['nothing is wrapped', [counted(0, undefined)], { envelopes: [], total: 0, stale: 0 }],
  [
    'an older version is stale',
    [counted(3, kek('1')), counted(4, kek('2'))],
    {
      envelopes: [
        { version: '1', count: 3 },
        { version: '2', count: 4 },
      ],
      total: 7,
      stale: 3,
    },
  ],
  [
    'what another key wraps of an organization that chose this one is stale',
    [counted(3, kek('2', 'transit/former'))],
    { envelopes: [], total: 3, stale: 3 },
  ],
  [
    'what this key still wraps of an organization that chose another one is shown, and stale elsewhere',
    [counted(3, kek('2'), null)],
    { envelopes: [{ version: '2', count: 3 }], total: 0, stale: 0 },
  ],
  [
    'versions are in the order of their numbers',
    [counted(1, kek('10')), counted(1, kek('9'))],
    {
      envelopes: [
        { version: '9', count: 1 },
        { version: '10', count: 1 },
      ],
      total: 2,
      stale: 2,
    },
  ],
])('%s', (_, counts, expected) => {
  expect(usageOf(reference, kek('2'), counts)).toEqual(expected)
})

test('of a hundred versions those are shown that have the most', () => {
  const counts = Array.from({ length: 100 }, (_, at) => counted(at + 1, kek(String(at))))
  const { envelopes, total } = usageOf(reference, kek('99'), counts)
  expect(envelopes.map(({ count }) => count)).toEqual(
    Array.from({ length: 32 }, (_, at) => at + 69),
  )
  expect(total).toBe(5050)
})

const found = {
  current: kek('2'),
  usage: usageOf(reference, kek('2'), [counted(4, kek('2'))]),
  compromised: undefined,
  rotationAnswered: undefined,
}
const [then, now] = [new Date('2027-01-01T00:00:00Z'), new Date('2027-01-01T00:05:00Z')]
const formerly = (generation: number, ready: 'True' | 'False'): EncryptionKey => {
  const status = encryptionKeyStatus({ metadata: {} } as EncryptionKey, found, then)
  const conditions = [{ type: 'Ready', status: ready }]
  return {
    metadata: { generation: 1 },
    status: { ...status, observedGeneration: generation, conditions },
  } as unknown as EncryptionKey
}

test.each([
  ['nothing else is new: the time of the probe stays', formerly(1, 'True'), found, then],
  ['a count is new', formerly(1, 'True'), { ...found, compromised: 1 }, now],
  ['it recovers', formerly(1, 'False'), found, now],
  ['it is another spec', formerly(0, 'True'), found, now],
])('%s', (_, key, next, expected) => {
  const { lastProbeTime } = encryptionKeyStatus(key, next, now)
  expect(lastProbeTime).toBe(`${expected.toISOString().slice(0, 19)}Z`)
})
