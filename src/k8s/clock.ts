/** Time and chance, passed in so that tests own them. */
export interface Clock {
  /** Milliseconds since the epoch: for what is written down or compared with a date. */
  now(): number
  /** Milliseconds that never go back: for how long something took. */
  monotonic(): number
  /** Calls `callback` once, `ms` from now; the returned function cancels it. */
  after(ms: number, callback: () => void): () => void
}

/** A number from 0 up to, but not including, 1. */
export type Random = () => number

/** setTimeout takes a signed 32-bit number and fires at once when given more: 24.8 days. */
const LONGEST_TIMER = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, callback) {
    let timer: NodeJS.Timeout
    const arm = (left: number): void => {
      const step = Math.min(Math.max(left, 0), LONGEST_TIMER)
      timer = setTimeout(() => (left > step ? arm(left - step) : callback()), step)
    }
    arm(ms)
    return () => clearTimeout(timer)
  },
}

/** Waits; resolves early, without an error, when the signal is aborted. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const end = (): void => {
      cancel()
      signal.removeEventListener('abort', end)
      resolve()
    }
    const cancel = clock.after(ms, end)
    signal.addEventListener('abort', end)
  })
}

/**
 * The delay before attempt `failures + 1`: doubled each time up to `max`, and then between half of
 * that and all of it, so that what failed together does not come back together.
 */
export function backoff(
  failures: number,
  bounds: { readonly base: number; readonly max: number },
  random: Random,
): number {
  const full = Math.min(bounds.max, bounds.base * 2 ** Math.min(failures, 30))
  return full * (0.5 + random() / 2)
}

/** `ms`, give or take a tenth. */
export function jittered(ms: number, random: Random): number {
  return ms * (0.9 + random() * 0.2)
}
