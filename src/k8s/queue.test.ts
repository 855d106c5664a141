import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ManualClock, settle } from '../../test/support/manualclock.ts'
import { WorkQueue } from './queue.ts'

function aQueue(random = () => 1) {
  const clock = new ManualClock()
  const counts = { added: 0, taken: 0, finished: 0, retried: 0 }
  const waits: number[] = []
  const queue = new WorkQueue({
    clock,
    random,
    observer: {
      added: () => (counts.added += 1),
      taken: (waited) => {
        counts.taken += 1
        waits.push(waited)
      },
      finished: () => (counts.finished += 1),
      retried: () => (counts.retried += 1),
    },
  })
  return { clock, queue, counts, waits }
}

/** Takes n keys that are ready. */
const takeAll = (queue: WorkQueue, n: number) =>
  Promise.all(Array.from({ length: n }, () => queue.take()))

test('a key that is added a thousand times is taken once', async () => {
  const { queue, counts } = aQueue()
  for (let i = 0; i < 1000; i += 1) queue.add('a', i % 2 ? 'high' : 'low')
  expect(queue.depth('high') + queue.depth('low')).toBe(1)
  expect(await queue.take()).toBe('a')
  expect(counts.added).toBe(1)
})

test('a key that is added while it is worked on is taken again, after that, and once', async () => {
  const { queue } = aQueue()
  queue.add('a', 'high')
  await queue.take()
  for (let i = 0; i < 1000; i += 1) queue.add('a', 'high')
  expect(queue.depth('high')).toBe(0)
  queue.done('a')
  expect(await queue.take()).toBe('a')
  queue.done('a')
  expect(queue.depth('high') + queue.depth('low') + queue.active).toBe(0)
})

test('what somebody waits for is not behind ten thousand that nobody does', async () => {
  const { queue } = aQueue()
  for (let i = 0; i < 10_000; i += 1) queue.add(`old-${i}`, 'low')
  queue.add('new', 'high')
  expect(await queue.take()).toBe('new')
})

test('a key rises to the higher priority and does not sink', async () => {
  const { queue } = aQueue()
  queue.add('first', 'low')
  queue.add('risen', 'low')
  queue.add('risen', 'high')
  queue.add('risen', 'low')
  expect(await takeAll(queue, 2)).toEqual(['risen', 'first'])
})

test('the low priority is slowed, and not starved', async () => {
  const { queue } = aQueue()
  queue.add('low', 'low')
  for (let i = 0; i < 100; i += 1) queue.add(`high-${i}`, 'high')
  expect(await takeAll(queue, 8)).toContain('low')
})

test('the back-off doubles from one second to sixty, and begins anew after a success', async () => {
  const { queue } = aQueue()
  const delays = Array.from({ length: 9 }, () => queue.retry('a'))
  expect(delays).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000])
  queue.succeeded('a')
  expect(queue.retry('a')).toBe(1000)
})

test('a key is added at its time, and not before', async () => {
  const { clock, queue } = aQueue()
  const start = clock.now()
  queue.addAt('year', start + 365 * 86_400_000, 'high')
  queue.addAt('soon', start + 500, 'high')
  await clock.advance(499)
  expect(queue.depth('high')).toBe(0)
  await clock.advance(1)
  expect(await queue.take()).toBe('soon')
  await clock.advance(365 * 86_400_000)
  expect(await queue.take()).toBe('year')
})

test('the sooner of two times counts, and taking a key clears both', async () => {
  const { clock, queue } = aQueue()
  queue.addAt('a', clock.now() + 5000, 'low')
  queue.addAt('a', clock.now() + 1000, 'high')
  queue.addAt('a', clock.now() + 3000, 'low')
  await clock.advance(1000)
  expect(await queue.take()).toBe('a')
  queue.done('a')
  await clock.advance(10_000)
  expect(queue.depth('high') + queue.depth('low')).toBe(0)
})

test('taking a key clears what was due later: the pass that begins decides anew', async () => {
  const { clock, queue } = aQueue()
  queue.addAt('a', clock.now() + 5000, 'low')
  queue.add('a', 'high')
  await queue.take()
  queue.done('a')
  await clock.advance(10_000)
  expect(queue.depth('high') + queue.depth('low')).toBe(0)
})

test('a key that is forgotten is not taken, at once or later', async () => {
  const { clock, queue } = aQueue()
  queue.add('a', 'high')
  queue.addAt('a', clock.now() + 1000, 'high')
  queue.forget('a')
  await clock.advance(2000)
  expect(queue.depth('high') + queue.depth('low')).toBe(0)
})

test('a closed queue hands out nothing, tells who waits, and leaves no timer', async () => {
  const { clock, queue } = aQueue()
  const waiting = queue.take()
  queue.addAt('later', clock.now() + 1000, 'high')
  queue.close()
  expect(await waiting).toBeUndefined()
  queue.add('a', 'high')
  queue.addAt('b', clock.now(), 'high')
  await clock.advance(5000)
  expect(await queue.take()).toBeUndefined()
  expect(clock.pending).toBe(0)
})

test('it measures how long keys wait and are worked on', async () => {
  const { clock, queue, waits } = aQueue()
  queue.add('a', 'high')
  await clock.advance(250)
  await queue.take()
  await clock.advance(750)
  expect(waits).toEqual([250])
  expect(queue.unfinishedWork()).toBe(750)
  queue.done('a')
  expect(queue.unfinishedWork()).toBe(0)
})

test('no key is ever worked on twice at once, and none is lost', async () => {
  const action = fc.record({ what: fc.constantFrom('add', 'done', 'retry'), key: fc.nat(5) })
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 100 }), async (actions) => {
      const { clock, queue } = aQueue()
      const active = new Set<string>()
      const wanted = new Set<string>()
      const work = async (): Promise<void> => {
        for (;;) {
          const key = await queue.take()
          if (key === undefined) return
          expect(active.has(key)).toBe(false)
          active.add(key)
          wanted.delete(key)
        }
      }
      const workers = [work(), work(), work()]
      const release = (key: string): void => {
        active.delete(key)
        queue.done(key)
      }
      for (const { what, key } of actions) {
        const name = String(key)
        if (what === 'done') release(name)
        else {
          wanted.add(name)
          if (what === 'add') queue.add(name, 'high')
          else queue.retry(name)
        }
        await settle()
      }
      // With every key let go and time enough, each wish is granted.
      for (let round = 0; round < 3; round += 1) {
        Array.from(active).forEach(release)
        await clock.advance(60_000)
      }
      expect([...wanted]).toEqual([])
      queue.close()
      await Promise.all(workers)
    }),
    { numRuns: 60 },
  )
})
