import type { Pool } from 'pg'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Pruner } from './pruner.ts'

const nothing = (): void => {}
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing }
const minute = 60_000

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test.each([
  [0, 30],
  [0.5, 60],
  [0.99, 89],
])(
  'by %d, what is over is forgotten after about %d minutes, and again after as many',
  async (random, minutes) => {
    let times = 0
    const query = async () => {
      times++
      // Away now is not away for ever.
      throw new Error('away')
    }
    const pruner = new Pruner({ pool: { query } as unknown as Pool, log, random: () => random })
    pruner.start()
    await vi.advanceTimersByTimeAsync(minutes * minute - 1)
    expect(times).toBe(0)
    await vi.advanceTimersByTimeAsync(minute)
    expect(times).toBe(1)
    await vi.advanceTimersByTimeAsync(minutes * minute)
    expect(times).toBe(2)
    pruner.stop()
    await vi.advanceTimersByTimeAsync(600 * minute)
    expect(times).toBe(2)
  },
)

test('it is asked again until nothing is left, and no more once it is stopped', async () => {
  const left = [2000, 300, 0, 2000, 2000]
  const query = async () => {
    const dropped = left.shift()
    if (left.length === 1) pruner.stop()
    return { rows: [{ dropped: `${dropped}` }] }
  }
  const pruner = new Pruner({ pool: { query } as unknown as Pool, log, random: () => 0 })
  await pruner.prune()
  expect(left).toEqual([2000, 2000])
  await pruner.prune()
  expect(left).toEqual([2000])
})
