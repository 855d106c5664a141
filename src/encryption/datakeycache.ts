/** How long an unwrapped data key may be used without asking the KMS again. */
export interface DataKeyBounds {
  /** Milliseconds. */
  readonly lifetime: number
  readonly uses: number
  /** Keys at once. */
  readonly keys: number
}

interface Entry {
  readonly key: Buffer
  readonly until: number
  uses: number
}

/**
 * Unwrapped data keys, for a bounded time and number of uses. A key is zeroed when it is dropped: what uses one must be done
 * with it before it waits for anything.
 */
export class DataKeyCache {
  readonly #bounds: DataKeyBounds
  /** Milliseconds of a clock that nobody sets. */
  readonly #now: () => number
  /** The least recently put in first. */
  readonly #entries = new Map<string, Entry>()

  constructor(bounds: DataKeyBounds, now: () => number) {
    this.#bounds = bounds
    this.#now = now
  }

  /** Takes one use of a key; undefined when it is not there any more. */
  use(name: string): Buffer | undefined {
    const entry = this.#entries.get(name)
    if (!entry) return undefined
    if (entry.uses === 0 || entry.until <= this.#now()) {
      this.drop(name)
      return undefined
    }
    entry.uses -= 1
    return entry.key
  }

  /** Keeps a key, which is the cache's from now on. */
  put(name: string, key: Buffer): void {
    this.drop(name)
    this.sweep()
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size < this.#bounds.keys) break
      this.drop(oldest)
    }
    const { lifetime, uses } = this.#bounds
    this.#entries.set(name, { key, until: this.#now() + lifetime, uses })
  }

  drop(name: string): void {
    this.#entries.get(name)?.key.fill(0)
    this.#entries.delete(name)
  }

  /** Drops what is over: a key that nobody asks for again must not stay. */
  sweep(): void {
    for (const [name, { until }] of this.#entries) {
      if (until <= this.#now()) this.drop(name)
    }
  }

  /** Drops everything. */
  clear(): void {
    for (const name of this.#entries.keys()) this.drop(name)
  }
}
