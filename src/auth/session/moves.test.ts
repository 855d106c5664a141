import { setImmediate } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import type { Pool } from 'pg'
import { expect, test } from 'vitest'
import { SessionMoves } from './moves.ts'

const nothing = (): void => {}
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing }

const forged = 'thief aacaaaacccaaaacaacaacaaaacacccaaaaaaaaaa'

/** Moves whose database is asked for places, and knows of none. */
function watched(fails = false) {
  const asked: string[][] = []
  const pool = {
    query: async (_: string, [ids]: [string[]]) => {
      asked.push(ids)
      if (fails) throw new Error('away')
      return { rows: [] }
    },
  } as unknown as Pool
  const moves = new SessionMoves({ pool, clock: { now: () => 0 }, log, interval: 3_600_000 })
  const saw = (id: string, address: string, userAgent?: string) =>
    moves.saw(id, { address, userAgent, requestId: 'r' })
  return { moves, saw, asked }
}

test('a session is looked up once for as long as it stays where it is', async () => {
  const { moves, saw, asked } = watched()
  for (let n = 0; n < 100; n++) saw('s1', '203.0.113.7', 'curl')
  await moves.flush()
  saw('s1', '203.0.113.7', 'curl')
  await moves.flush()
  expect(asked).toEqual([['s1']])
})

test.each([
  ['another address', '203.0.113.8', 'curl'],
  ['another device', '203.0.113.7', 'wget'],
  ['a device whose name was made to have the same checksum', '203.0.113.7', forged],
])('%s has it looked up again', async (_, address, userAgent) => {
  const { moves, saw, asked } = watched()
  saw('s1', '203.0.113.7', 'curl')
  await moves.flush()
  saw('s1', address, userAgent)
  await moves.flush()
  expect(asked).toEqual([['s1'], ['s1']])
})

test('the forged name has the checksum of the other', () => {
  expect(crc32(forged)).toBe(crc32('curl'))
})

test('many are looked up together, and those for whom there is no room the next time', async () => {
  const { moves, saw, asked } = watched()
  const all = Array.from({ length: 700 }, (_, n) => `s${n}`)
  for (const id of all) saw(id, '203.0.113.7')
  await moves.flush()
  for (const id of all) saw(id, '203.0.113.7')
  await moves.flush()
  expect(asked.map((ids) => ids.length)).toEqual([500, 200])
})

test('with the database away nothing is thrown, and what waits comes to its end', async () => {
  const { moves, saw, asked } = watched(true)
  saw('s1', '203.0.113.7')
  await moves.stop()
  expect(asked).toHaveLength(1)
})

test('whoever stops it while two looks are under way waits for both', async () => {
  const answers: (() => void)[] = []
  const query = () =>
    new Promise<{ rows: [] }>((resolve) => answers.push(() => resolve({ rows: [] })))
  const pool = { query } as unknown as Pool
  const moves = new SessionMoves({ pool, clock: { now: () => 0 }, log, interval: 3_600_000 })
  const saw = (id: string) =>
    moves.saw(id, { address: '203.0.113.7', userAgent: undefined, requestId: 'r' })
  saw('s1')
  const first = moves.flush()
  await setImmediate()
  saw('s2')
  const second = moves.flush()
  let stopped = false
  const stopping = moves.stop().then(() => {
    stopped = true
  })
  answers[0]?.()
  await first
  await setImmediate()
  expect(answers).toHaveLength(2)
  expect(stopped).toBe(false)
  answers[1]?.()
  await Promise.all([second, stopping])
})
