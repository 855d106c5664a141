import { backoff, type Clock, type Random } from '../../k8s/clock.ts'

export interface BackOffsOptions {
  readonly clock: Clock
  readonly random: Random
  /** Milliseconds after which what failed is tried again, doubled each time up to `max`. */
  readonly again: { readonly base: number; readonly max: number }
}

/** What failed, and for how long each is left alone: a key manager that is in trouble must not be stormed. */
export class BackOffs<K> {
  readonly #options: BackOffsOptions
  readonly #failures = new Map<K, { readonly count: number; readonly until: number }>()

  constructor(options: BackOffsOptions) {
    this.#options = options
  }

  isLeftAlone(key: K): boolean {
    return (this.#failures.get(key)?.until ?? 0) > this.#options.clock.now()
  }

  /** @returns when it is tried again */
  failed(key: K): Date {
    const { clock, random, again } = this.#options
    const count = this.#failures.get(key)?.count ?? 0
    const until = clock.now() + backoff(count, again, random)
    this.#failures.set(key, { count: count + 1, until })
    return new Date(until)
  }

  /** These went well to the end, but for those that are left alone by now. */
  served(keys: Iterable<K>): void {
    for (const key of keys) if (!this.isLeftAlone(key)) this.#failures.delete(key)
  }

  /** Forgets all but these. */
  keep(keys: ReadonlySet<K>): void {
    for (const key of this.#failures.keys()) if (!keys.has(key)) this.#failures.delete(key)
  }

  /** When the first of them is tried again, in milliseconds since the epoch; infinite when none failed. */
  next(): number {
    return Math.min(...[...this.#failures.values()].map(({ until }) => until))
  }
}
