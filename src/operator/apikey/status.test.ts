import { expect, test } from 'vitest'
import type { APIKey } from '../../api/v1alpha1/apikey.ts'
import type { ApiKeyRow, ApiKeySecretRow } from '../../db/apikey.ts'
import { apiKeyStatus, nextLook } from './status.ts'

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second, 500))
const aKey = (spec: object = {}) =>
  ({ spec: { secretRef: { name: 'ci-key' }, ...spec } }) as unknown as APIKey
const aRow = (row: Partial<ApiKeyRow> = {}) =>
  ({ id: 'key', expiresAt: null, rotationHandled: null, ...row }) as ApiKeyRow
const aSecret = (secret: Partial<ApiKeySecretRow> = {}) =>
  ({
    id: 'now',
    source: 'minted',
    lastFour: 'wxyz',
    createdAt: at(10),
    expiresAt: null,
    ...secret,
  }) as ApiKeySecretRow
const former = aSecret({ id: 'was', lastFour: 'abcd', createdAt: at(0), expiresAt: at(20) })
const rotation = { every: '1m', overlap: '10s' }

test('the current secret comes first, then the one that retires, each with its end', () => {
  const apiKey = aKey({ rotation })
  const row = aRow({ expiresAt: at(15), rotationHandled: 'one' })
  expect(apiKeyStatus(apiKey, row, [former, aSecret()], 'ck')).toEqual({
    id: 'key',
    prefix: 'ck',
    keys: [
      {
        id: 'now',
        lastFour: 'wxyz',
        createdAt: '2026-01-01T00:00:10Z',
        expiresAt: '2026-01-01T00:00:15Z',
        state: 'Active',
      },
      {
        id: 'was',
        lastFour: 'abcd',
        createdAt: '2026-01-01T00:00:00Z',
        // The key ends before the overlap does.
        expiresAt: '2026-01-01T00:00:15Z',
        state: 'Retiring',
      },
    ],
    expiresAt: '2026-01-01T00:00:15Z',
    nextRotationAt: '2026-01-01T00:01:10Z',
    secretName: 'ci-key',
    lastHandledRotateAt: 'one',
  })
})

test('of an imported key nothing is shown that only a minted one has', () => {
  const imported = aSecret({ source: 'imported', lastFour: null })
  expect(apiKeyStatus(aKey({ secretRef: undefined }), aRow(), [imported], 'ck')).toEqual({
    id: 'key',
    keys: [{ id: 'now', createdAt: '2026-01-01T00:00:10Z', state: 'Active' }],
  })
})

test.each<[string, object, Partial<ApiKeyRow>, ApiKeySecretRow[], Date | undefined]>([
  ['never, when nothing ends', {}, {}, [aSecret()], undefined],
  ['when the overlap ends', { rotation }, {}, [former, aSecret()], at(20)],
  ['when the rotation is due', { rotation }, {}, [aSecret()], at(70)],
  ['when the key expires', { rotation }, { expiresAt: at(15) }, [former, aSecret()], at(15)],
])('the next look is due %s', (_, spec, row, secrets, due) => {
  expect(nextLook(aKey(spec), aRow(row), secrets)).toEqual(due)
})
