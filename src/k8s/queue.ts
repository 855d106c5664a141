import { backoff, type Clock, type Random } from './clock.ts'
import { Schedule } from './schedule.ts'

/**
 * `high` is for what somebody waits for: a new or changed object, a time that has come. `low` is for
 * what can wait: the first list, resyncs, retries.
 */
export type Priority = 'high' | 'low'

/** Told what the queue does; see metrics.ts. Durations are in milliseconds. */
export interface QueueObserver {
  added(): void
  taken(waited: number): void
  finished(worked: number): void
  retried(): void
}

export interface QueueOptions {
  readonly clock: Clock
  readonly random: Random
  readonly observer: QueueObserver
  /** Bounds of the back-off of an item, in milliseconds. */
  readonly backoff?: { readonly base: number; readonly max: number }
}

/** One in so many takes serves the low priority first, so that it is slowed and never starved. */
const LOW_TURN = 8

/**
 * A queue of keys. A key is in it once however often it is added, is worked on by one worker at a
 * time, and is queued again when it was added meanwhile. It holds no more than there are keys.
 */
export class WorkQueue {
  readonly #options: QueueOptions
  readonly #ready = { high: new Set<string>(), low: new Set<string>() }
  readonly #addedAt = new Map<string, number>()
  readonly #processing = new Map<string, number>()
  readonly #dirty = new Map<string, Priority>()
  readonly #failures = new Map<string, number>()
  readonly #later = new Schedule<Priority>()
  readonly #idle: ((key: string | undefined) => void)[] = []
  #cancelTimer: (() => void) | undefined
  #timerAt = Number.POSITIVE_INFINITY
  #takes = 0
  #closed = false

  constructor(options: QueueOptions) {
    this.#options = options
  }

  /** Keys that are ready to be taken. */
  depth(priority: Priority): number {
    return this.#ready[priority].size
  }

  /** Keys that are being worked on. */
  get active(): number {
    return this.#processing.size
  }

  /** Whether no key is ready and none is being worked on. */
  get isIdle(): boolean {
    return this.depth('high') + this.depth('low') + this.active === 0
  }

  /** Milliseconds that unfinished work has taken so far, summed: a stuck worker shows here. */
  unfinishedWork(): number {
    const now = this.#options.clock.monotonic()
    let sum = 0
    for (const started of this.#processing.values()) sum += now - started
    return sum
  }

  add(key: string, priority: Priority): void {
    if (this.#closed) return
    if (this.#processing.has(key)) {
      if (this.#dirty.get(key) !== 'high') this.#dirty.set(key, priority)
      return
    }
    const { high, low } = this.#ready
    if (high.has(key) || (priority === 'low' && low.has(key))) return
    if (!low.delete(key)) {
      this.#options.observer.added()
      this.#addedAt.set(key, this.#options.clock.monotonic())
    }
    this.#ready[priority].add(key)
    this.#hand()
  }

  /** Adds the key at a time (milliseconds since the epoch) unless it is already due sooner. */
  addAt(key: string, at: number, priority: Priority): void {
    if (this.#closed) return
    this.#later.set(key, at, priority)
    this.#arm()
  }

  /** Adds the key after its back-off, which doubles with each failure in a row; returns the delay. */
  retry(key: string): number {
    const failures = this.#failures.get(key) ?? 0
    this.#failures.set(key, failures + 1)
    const { clock, random, observer, backoff: bounds } = this.#options
    const delay = backoff(failures, bounds ?? { base: 1000, max: 60_000 }, random)
    observer.retried()
    this.addAt(key, clock.now() + delay, 'low')
    return delay
  }

  /** Ends a row of failures. */
  succeeded(key: string): void {
    this.#failures.delete(key)
  }

  /** Drops all that is known of a key; one that is being worked on is not queued again. */
  forget(key: string): void {
    this.#failures.delete(key)
    this.#later.delete(key)
    this.#dirty.delete(key)
    this.#addedAt.delete(key)
    this.#ready.high.delete(key)
    this.#ready.low.delete(key)
  }

  /** Waits for a key and takes it; undefined when the queue is closed. Call `done` afterwards. */
  take(): Promise<string | undefined> {
    return new Promise((resolve) => {
      if (this.#closed) return resolve(undefined)
      this.#idle.push(resolve)
      this.#hand()
    })
  }

  /** The work on a taken key has ended. */
  done(key: string): void {
    const started = this.#processing.get(key)
    if (started === undefined) return
    this.#processing.delete(key)
    this.#options.observer.finished(this.#options.clock.monotonic() - started)
    const again = this.#dirty.get(key)
    this.#dirty.delete(key)
    if (again !== undefined) this.add(key, again)
  }

  /** Hands out nothing more. Work in progress goes on. */
  close(): void {
    this.#closed = true
    this.#cancelTimer?.()
    for (const resolve of this.#idle.splice(0)) resolve(undefined)
  }

  #hand(): void {
    while (this.#idle.length > 0) {
      const key = this.#pick()
      if (key === undefined) return
      const now = this.#options.clock.monotonic()
      this.#options.observer.taken(now - (this.#addedAt.get(key) ?? now))
      this.#addedAt.delete(key)
      this.#processing.set(key, now)
      // What was due later is decided anew by the pass that begins here.
      this.#later.delete(key)
      this.#idle.shift()?.(key)
    }
  }

  #pick(): string | undefined {
    const { high, low } = this.#ready
    if (high.size + low.size === 0) return undefined
    this.#takes += 1
    const lowFirst = this.#takes % LOW_TURN === 0
    const from = low.size > 0 && (lowFirst || high.size === 0) ? low : high
    const [key] = from
    if (key !== undefined) from.delete(key)
    return key
  }

  #arm(): void {
    const next = this.#later.next()
    if (next === undefined || next === this.#timerAt) return
    this.#cancelTimer?.()
    this.#timerAt = next
    this.#cancelTimer = this.#options.clock.after(next - this.#options.clock.now(), () => {
      this.#timerAt = Number.POSITIVE_INFINITY
      const now = this.#options.clock.now()
      for (let due = this.#later.takeDue(now); due; due = this.#later.takeDue(now)) {
        this.add(due.key, due.value)
      }
      this.#arm()
    })
  }
}
