import { expect, test } from 'vitest'
import type { Queryable } from '../db/credentialindex.ts'
import { Replicas } from './replicas.ts'

test.each([
  ['two of two', 2, 1, 2],
  ['fewer than there are at least', 1, 3, 3],
  ['none, which cannot be', 0, 1, 1],
  ['more than anybody runs', 2_000_000, 1, 1000],
  ['more than anybody runs, and somebody who says so', 2_000_000, 5000, 5000],
])('%s: of %i alive and at least %i, %i are counted', async (_, alive, minimum, counted) => {
  const db = { query: async () => ({ rows: [{ alive }] }) } as unknown as Queryable
  const quiet = () => {}
  const log = { debug: quiet, info: quiet, warn: quiet, error: quiet }
  const replicas = new Replicas({ db, log, id: 'replica', minimum, interval: 60_000 })
  expect(replicas.share).toBe(1 / minimum)
  replicas.start()
  await replicas.stop()
  expect(replicas.share).toBe(1 / counted)
})
