import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { keyringOf } from '../../test/support/keyring.ts'
import type { DataKeyRow } from '../db/datakey.ts'
import { localKeyManagement } from '../kms/local.ts'
import { makeDataKey } from './datakey.ts'
import { DataKeys, type DataKeysOptions } from './datakeys.ts'

const organizationId = '0199a5c0-0000-7000-8000-000000000001'
const column = {
  organizationId,
  table: 'provider_credential_versions',
  rowId: 'r1',
  column: 'sealed',
}
const file = randomBytes(32).toString('base64')
const kek = localKeyManagement(() => file)
const value = Buffer.from('sk-canary')

async function dataKey(version = 1, id = organizationId): Promise<DataKeyRow> {
  const made = await makeDataKey(kek, kek, id, version)
  return { ...made, createdAt: new Date(0), retiredAt: null, rotationRequest: null }
}

function keys(options: Partial<DataKeysOptions> = {}) {
  let [now, unwraps] = [0, 0]
  const dataKeys = new DataKeys({
    keyring: keyringOf(kek),
    now: () => now,
    onUnwrap: () => {
      unwraps += 1
    },
    ...options,
  })
  const advance = (by: number): void => {
    now += by
  }
  return {
    dataKeys: dataKeys.of('acme'),
    sweep: () => dataKeys.sweep(),
    unwraps: () => unwraps,
    advance,
  }
}

test('what was sealed opens, and the KMS is asked once', async () => {
  const { dataKeys, unwraps } = keys()
  const row = await dataKey()
  const sealed = await dataKeys.seal(row, column, value)
  expect(sealed.includes(value)).toBe(false)
  for (let i = 0; i < 5; i++) expect(await dataKeys.open(row, column, sealed)).toEqual(value)
  expect(unwraps()).toBe(1)
})

test('a hundred at once ask the KMS once', async () => {
  const { dataKeys, unwraps } = keys()
  const row = await dataKey()
  await Promise.all(Array.from({ length: 100 }, () => dataKeys.seal(row, column, value)))
  expect(unwraps()).toBe(1)
})

test('a key is asked for again after its time, and after its uses', async () => {
  const { dataKeys, unwraps, advance } = keys({ bounds: { lifetime: 1000, uses: 3 } })
  const row = await dataKey()
  for (let i = 0; i < 4; i++) await dataKeys.seal(row, column, value)
  expect(unwraps()).toBe(2)
  advance(1000)
  await dataKeys.seal(row, column, value)
  expect(unwraps()).toBe(3)
})

test('a key that is dropped is zeroed', async () => {
  const { dataKeys, sweep, advance } = keys({ bounds: { lifetime: 1000 } })
  const row = await dataKey()
  const key = await dataKeys.derive(row, (bytes) => bytes)
  expect(key.every((byte) => byte === 0)).toBe(false)
  advance(1000)
  sweep()
  expect(key.every((byte) => byte === 0)).toBe(true)
})

test.each(Object.keys(column))('what was moved to another %s does not open', async (part) => {
  const { dataKeys } = keys()
  const row = await dataKey()
  const sealed = await dataKeys.seal(row, column, value)
  const opened = dataKeys.open(row, { ...column, [part]: 'elsewhere' }, sealed)
  await expect(opened).rejects.toMatchObject({ code: 'refused' })
})

test.each([
  ['another organization', { organizationId: '0199a5c0-0000-7000-8000-000000000002' }],
  ['another version', { version: 2 }],
])('a data key under the name of %s does not open', async (_, change) => {
  const { dataKeys } = keys()
  const row = { ...(await dataKey()), ...change }
  await expect(dataKeys.seal(row, column, value)).rejects.toMatchObject({ code: 'refused' })
})

test('a KMS that is away is told of, and asked again the next time', async () => {
  let away = true
  const keyring = keyringOf({
    ...kek,
    unwrap: (...given) => (away ? Promise.reject(new Error('away')) : kek.unwrap(...given)),
  })
  const { dataKeys } = keys({ keyring })
  const row = await dataKey()
  await expect(dataKeys.seal(row, column, value)).rejects.toThrow('away')
  away = false
  await dataKeys.seal(row, column, value)
})

test('one who gives up does not take the others along', async () => {
  let answer = (): void => {}
  const waiting = new Promise<void>((resolve) => {
    answer = resolve
  })
  const unwrap: typeof kek.unwrap = async (...given) => {
    await waiting
    return kek.unwrap(...given)
  }
  const { dataKeys } = keys({ keyring: keyringOf({ ...kek, unwrap }) })
  const row = await dataKey()
  const hasty = new AbortController()
  const first = dataKeys.seal(row, column, value, hasty.signal)
  const second = dataKeys.seal(row, column, value)
  hasty.abort(new Error('given up'))
  await expect(first).rejects.toThrow()
  answer()
  expect((await second).length).toBeGreaterThan(0)
})

test('what is no data key is refused, and not kept', async () => {
  const keyring = keyringOf({ ...kek, unwrap: async () => Buffer.alloc(0) })
  const { dataKeys } = keys({ keyring })
  await expect(dataKeys.seal(await dataKey(), column, value)).rejects.toMatchObject({
    code: 'refused',
  })
})
