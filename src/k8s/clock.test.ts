import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { backoff, jittered, sleep, systemClock } from './clock.ts'

describe('the system clock', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  test('waits for longer than setTimeout can', () => {
    const day = 86_400_000
    let called = 0
    systemClock.after(60 * day, () => {
      called += 1
    })
    vi.advanceTimersByTime(60 * day - 1)
    expect(called).toBe(0)
    vi.advanceTimersByTime(1)
    expect(called).toBe(1)
  })

  test('does not call back what was cancelled, at any time', () => {
    const cancel = systemClock.after(2 ** 32, () => expect.unreachable())
    vi.advanceTimersByTime(2 ** 31)
    cancel()
    vi.advanceTimersByTime(2 ** 32)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('calls back at once what is overdue', () => {
    let called = false
    systemClock.after(-5, () => {
      called = true
    })
    vi.advanceTimersByTime(1)
    expect(called).toBe(true)
  })
})

test('a sleep ends early when it is aborted, and leaves no timer', async () => {
  let cancelled = false
  const clock = { ...systemClock, after: () => () => (cancelled = true) as unknown as undefined }
  const abort = new AbortController()
  const sleeping = sleep(clock, 1e9, abort.signal)
  abort.abort()
  await sleeping
  expect(cancelled).toBe(true)
  await sleep(clock, 1e9, abort.signal)
})

test('a back-off is between half of its step and all of it, and never over the bound', () => {
  const bounds = { base: 1000, max: 60_000 }
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(fc.nat(5000), chance, (failures, random) => {
      const step = Math.min(60_000, 1000 * 2 ** Math.min(failures, 30))
      const delay = backoff(failures, bounds, () => random)
      expect(delay).toBeGreaterThanOrEqual(step / 2)
      expect(delay).toBeLessThanOrEqual(step)
    }),
  )
})

test('jitter is a tenth either way', () => {
  expect(jittered(1000, () => 0)).toBe(900)
  expect(jittered(1000, () => 1)).toBe(1100)
})
