/** Who refers to whom, both ways, by `referenceKey`. */
export class ReferenceIndex {
  readonly #forward = new Map<string, readonly string[]>()
  readonly #backward = new Map<string, Set<string>>()

  /** Replaces what `from` refers to; returns what it referred to before and does not any more. */
  set(from: string, to: readonly string[]): readonly string[] {
    const before = this.#forward.get(from) ?? []
    const dropped = before.filter((key) => !to.includes(key))
    for (const key of dropped) this.#unlink(from, key)
    for (const key of to) {
      const referrers = this.#backward.get(key)
      if (referrers) referrers.add(from)
      else this.#backward.set(key, new Set([from]))
    }
    if (to.length > 0) this.#forward.set(from, to)
    else this.#forward.delete(from)
    return dropped
  }

  /** The keys that refer to `to`. */
  referrers(to: string): ReadonlySet<string> {
    return this.#backward.get(to) ?? EMPTY
  }

  #unlink(from: string, to: string): void {
    const referrers = this.#backward.get(to)
    referrers?.delete(from)
    if (referrers?.size === 0) this.#backward.delete(to)
  }
}

const EMPTY: ReadonlySet<string> = new Set()
