import type { Meter } from '../index/meter.ts'
import type { RateLimit } from '../index/policy.ts'

/** How a rate limit stands after a request. */
export interface Quota {
  readonly limit: RateLimit
  readonly allowed: boolean
  /** Whole requests that would be let through at once now. */
  readonly remaining: number
  /** Whole seconds until the next request is let through, or, if one would be now, until the bucket is full. */
  readonly reset: number
}

/** What is less than this off a whole number, be it of tokens or of seconds, was lost in computing it. */
const rounding = 1e-6

/**
 * Takes one token out of a key's bucket, which fills evenly with `requests` tokens a window and holds `burst`. The bucket is
 * kept as one number, the moment when it will be full (the generic cell rate algorithm).
 * @param share this replica's part of the limit: 1 divided by the replicas that are alive
 * @param now monotonic milliseconds
 */
export function takeToken(meter: Meter, limit: RateLimit, share: number, now: number): Quota {
  const perToken = limit.window / (limit.requests * share)
  // A bucket that holds less than one token would never let anybody through.
  const capacity = Math.max(1, limit.burst * share)
  const fullAt = Math.max(meter.fullAt, now)
  const tokens = capacity - (fullAt - now) / perToken
  const allowed = tokens > 1 - rounding
  if (allowed) meter.fullAt = fullAt + perToken
  const remaining = allowed ? Math.max(0, Math.floor(tokens - 1 + rounding)) : 0
  const wait = remaining > 0 ? meter.fullAt - now : (1 - tokens + (allowed ? 1 : 0)) * perToken
  return { limit, allowed, remaining, reset: Math.max(1, Math.ceil(wait / 1000 - rounding)) }
}
