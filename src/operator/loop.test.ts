import { expect, test } from 'vitest'
import { ManualClock, settle } from '../../test/support/manualclock.ts'
import { memoryLogger } from '../../test/support/runtime.ts'
import { FencedError } from '../db/transaction.ts'
import { Loop, type LoopOptions } from './loop.ts'

function loopOf(options: Partial<LoopOptions> = {}) {
  const clock = new ManualClock()
  const runs: number[] = []
  let fenced = 0
  const start = clock.now()
  const loop = new Loop({
    what: 'a test',
    run: async () => {
      runs.push(clock.now() - start)
      return undefined
    },
    leads: () => true,
    onFenced: () => {
      fenced += 1
    },
    clock,
    // Jitter and back-off at the middle of their ranges.
    random: () => 0.5,
    logger: memoryLogger(),
    intervals: { every: 100_000, least: 1000, standby: 1000, again: { base: 4000, max: 32_000 } },
    ...options,
  })
  const failing = (error: () => Error) => async (): Promise<undefined> => {
    runs.push(clock.now() - start)
    throw error()
  }
  return { clock, loop, runs, failing, fenced: () => fenced, start }
}

test('it runs at once, and again after the interval', async () => {
  const { clock, loop, runs } = loopOf()
  loop.start()
  await clock.advance(250_000)
  expect(runs).toEqual([0, 100_000, 200_000])
  void loop.stop()
  await clock.advance(0)
})

test('who asks for a run gets one soon, and a hundred who ask get one', async () => {
  const { clock, loop, runs } = loopOf()
  loop.start()
  await clock.advance(10_000)
  for (let i = 0; i < 100; i++) loop.soon()
  await clock.advance(10_000)
  expect(runs).toEqual([0, 10_000])
  void loop.stop()
  await clock.advance(0)
})

test('who asks during a run gets another one after it, and not sooner than the least interval', async () => {
  const clock = new ManualClock()
  const runs: number[] = []
  const start = clock.now()
  const { loop } = loopOf({
    clock,
    run: async () => {
      runs.push(clock.now() - start)
      if (runs.length === 1) loop.soon()
      return undefined
    },
  })
  loop.start()
  await clock.advance(5000)
  expect(runs).toEqual([0, 1000])
  void loop.stop()
  await clock.advance(0)
})

test('a standby does not run, and begins when it leads', async () => {
  let leads = false
  const { clock, loop, runs } = loopOf({ leads: () => leads })
  loop.start()
  await clock.advance(5500)
  expect(runs).toEqual([])
  leads = true
  await clock.advance(1000)
  expect(runs).toEqual([6000])
  void loop.stop()
  await clock.advance(0)
})

test('a run that says when the next is due is taken at its word', async () => {
  const clock = new ManualClock()
  const runs: number[] = []
  const start = clock.now()
  const { loop } = loopOf({
    clock,
    run: async () => {
      runs.push(clock.now() - start)
      return new Date(clock.now() + 7000)
    },
  })
  loop.start()
  await clock.advance(15_000)
  expect(runs).toEqual([0, 7000, 14_000])
  void loop.stop()
  await clock.advance(0)
})

test('a run that fails comes back ever more slowly', async () => {
  const { clock, runs, failing } = loopOf()
  const { loop } = loopOf({ clock, run: failing(() => new Error('away')) })
  loop.start()
  await clock.advance(60_000)
  // 4, 8, 16, 32 and again 32 seconds, three quarters of each.
  expect(runs).toEqual([0, 3000, 9000, 21_000, 45_000])
  void loop.stop()
  await clock.advance(0)
})

test('a leader that was fenced off runs no more', async () => {
  const { clock, runs, failing } = loopOf()
  const { loop, fenced } = loopOf({ clock, run: failing(() => new FencedError('another leads')) })
  loop.start()
  await clock.advance(300_000)
  expect([runs, fenced()]).toEqual([[0], 1])
  await loop.stop()
})

test('it stops in the middle of a run, and waits for its end', async () => {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  let aborted = false
  const { loop } = loopOf({
    run: (signal) => {
      signal.addEventListener('abort', () => {
        aborted = true
      })
      return promise
    },
  })
  loop.start()
  await settle()
  let stopped = false
  const stopping = loop.stop().then(() => {
    stopped = true
  })
  await settle()
  expect([aborted, stopped]).toEqual([true, false])
  resolve(undefined)
  await stopping
  expect(stopped).toBe(true)
})
