import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Meter } from '../index/meter.ts'
import { takeToken } from './ratelimit.ts'

const aLimit = (requests: number, window: number, burst: number) => ({
  requests,
  window,
  burst,
  header: '',
})

const aMeter = (): Meter => ({
  apiKeyId: 'key',
  organizationId: 'organization',
  fullAt: 0,
  uses: 0,
  lastUsedAt: 0,
})

test('a bucket of three lets three through, and then one each second', () => {
  const meter = aMeter()
  const limit = aLimit(60, 60_000, 3)
  const at = (now: number) => takeToken(meter, limit, 1, now)
  expect(at(1000)).toMatchObject({ allowed: true, remaining: 2, reset: 1 })
  expect(at(1000)).toMatchObject({ allowed: true, remaining: 1, reset: 2 })
  expect(at(1000)).toMatchObject({ allowed: true, remaining: 0, reset: 1 })
  expect(at(1000)).toMatchObject({ allowed: false, remaining: 0, reset: 1 })
  expect(at(1999)).toMatchObject({ allowed: false })
  expect(at(2000)).toMatchObject({ allowed: true, remaining: 0 })
  expect(at(2000)).toMatchObject({ allowed: false })
  expect(at(60_000)).toMatchObject({ allowed: true, remaining: 2 })
})

test('who is refused is told when to come back, and then is let through', () => {
  const meter = aMeter()
  const limit = aLimit(1, 3_600_000, 1)
  expect(takeToken(meter, limit, 1, 500).allowed).toBe(true)
  const { allowed, reset } = takeToken(meter, limit, 1, 10_500)
  expect({ allowed, reset }).toEqual({ allowed: false, reset: 3590 })
  expect(takeToken(meter, limit, 1, 10_500 + reset * 1000).allowed).toBe(true)
})

test('whatever the clock shows, the first use of a bucket leaves a second to wait for', () => {
  const clock = fc.double({ min: 0, max: 1e9, noNaN: true })
  fc.assert(
    fc.property(clock, (now) => {
      expect(takeToken(aMeter(), aLimit(60, 60_000, 3), 1, now)).toMatchObject({
        remaining: 2,
        reset: 1,
      })
    }),
  )
})

test('a replica of four lets a fourth through', () => {
  const meter = aMeter()
  const limit = aLimit(400, 1000, 400)
  let allowed = 0
  for (let n = 0; n < 1000; n++) if (takeToken(meter, limit, 0.25, 0).allowed) allowed++
  expect(allowed).toBe(100)
})

test('a share of less than one token still lets somebody through at times', () => {
  const meter = aMeter()
  const limit = aLimit(1, 1000, 1)
  expect(takeToken(meter, limit, 0.1, 0).allowed).toBe(true)
  expect(takeToken(meter, limit, 0.1, 9999).allowed).toBe(false)
  expect(takeToken(meter, limit, 0.1, 10_000).allowed).toBe(true)
})

test('never more than the burst and what has flowed in since are let through', () => {
  const arrivals = fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 300 })
  const limits = fc.record({
    requests: fc.integer({ min: 1, max: 100 }),
    window: fc.integer({ min: 100, max: 10_000 }),
    burst: fc.integer({ min: 1, max: 50 }),
  })
  fc.assert(
    fc.property(limits, arrivals, (limit, gaps) => {
      const meter = aMeter()
      let now = 0
      let allowed = 0
      for (const gap of gaps) {
        now += gap
        const quota = takeToken(meter, aLimit(limit.requests, limit.window, limit.burst), 1, now)
        if (quota.allowed) allowed++
        expect(quota.remaining).toBeLessThan(limit.burst)
        expect(quota.reset).toBeGreaterThanOrEqual(1)
      }
      expect(allowed).toBeLessThanOrEqual(
        limit.burst + (now / limit.window) * limit.requests + 1e-3,
      )
    }),
  )
})
