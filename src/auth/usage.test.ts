import { expect, test } from 'vitest'
import { anIndexedApiKey } from '../../test/support/build/indexed.ts'
import type { Queryable } from '../db/credentialindex.ts'
import { CredentialIndex } from './index/credentialindex.ts'
import { Meters } from './index/meters.ts'
import { UsageWriter } from './usage.ts'

const silent = () => {}
const log = { debug: silent, info: silent, warn: silent, error: silent }

function aWriter(write: (entries: Record<string, [string, number, number][]>) => void) {
  const index = new CredentialIndex()
  const meters = new Meters(() => index)
  const db = {
    query: async (_: string, [entries]: [string]) => {
      write(JSON.parse(entries))
      return { rows: [] }
    },
  } as unknown as Queryable
  const use = (id: string, seconds: number) => {
    if (!index.apiKey(id)) index.addApiKeys([anIndexedApiKey({ id, text: id })])
    const credential = index.apiKey(id)
    if (credential) meters.count(meters.of(credential), seconds * 1000)
  }
  return { writer: new UsageWriter({ db, meters, log, interval: 1000 }), use }
}

test('uses are added up by key, in batches that are not too large', async () => {
  const batches: Record<string, [string, number, number][]>[] = []
  const { writer, use } = aWriter((entries) => batches.push(entries))
  for (let key = 0; key < 600; key++) for (let n = 0; n <= key % 3; n++) use(`key-${key}`, 10 + n)
  await writer.flush()
  const written = batches.flatMap(({ organization = [] }) => organization)
  expect(Math.max(...batches.map(({ organization = [] }) => organization.length))).toBeLessThan(500)
  expect(written).toHaveLength(600)
  expect(written.find(([id]) => id === 'key-2')).toEqual(['key-2', 12, 3])
  await writer.flush()
  expect(batches.flatMap(({ organization = [] }) => organization)).toHaveLength(600)
})

test('what could not be written is written the next time, with what came since', async () => {
  let away = true
  const written = new Map<string, number>()
  const { writer, use } = aWriter(({ organization = [] }) => {
    if (away) throw new Error('away')
    for (const [id, , uses] of organization) written.set(id, (written.get(id) ?? 0) + uses)
  })
  for (let key = 0; key < 600; key++) use(`key-${key}`, 1)
  await writer.flush()
  use('key-0', 2)
  use('key-599', 2)
  expect(writer.failed).toBe(1)
  away = false
  await writer.flush()
  expect(written.size).toBe(600)
  expect([written.get('key-0'), written.get('key-1'), written.get('key-599')]).toEqual([2, 1, 2])
})

test('with more keys in use than are written at a time, the others follow, and at the end all of them', async () => {
  const written: string[] = []
  const { writer, use } = aWriter(({ organization = [] }) => {
    written.push(...organization.map(([id]) => id))
  })
  for (let key = 0; key < 30_000; key++) use(`key-${key}`, 1)
  await writer.flush()
  expect(written).toHaveLength(10_000)
  use('key-0', 2)
  await writer.flush()
  expect(written.slice(10_000, 20_000)).not.toContain('key-0')
  await writer.stop()
  expect(written).toHaveLength(30_001)
  expect(new Set(written).size).toBe(30_000)
})
