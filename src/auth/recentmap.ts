interface Entry<Value> {
  value: Value
  /** Whether it was asked for since the hand came by. */
  asked: boolean
}

/** Entries that the hand looks at for one that comes: nobody waits for a whole round. */
const steps = 64

/**
 * A map of at most `max` entries. When it is full it forgets one that was not asked for lately, for each that comes: the hand of a
 * clock goes round, and takes the first that nobody asked for since it came by, or, after some steps, whichever it is at.
 */
export class RecentMap<Key, Value> {
  readonly #max: number
  readonly #entries = new Map<Key, Entry<Value>>()
  #hand = this.#entries.entries()

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: Key): Value | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    entry.asked = true
    return entry.value
  }

  set(key: Key, value: Value): void {
    const known = this.#entries.get(key)
    if (known !== undefined) {
      known.value = value
      return
    }
    if (this.#entries.size >= this.#max) this.#forgetOne()
    // As if it was asked for: else what came last, which the hand meets next, would go first.
    this.#entries.set(key, { value, asked: true })
  }

  #forgetOne(): void {
    for (let step = 1; ; ) {
      const { done, value } = this.#hand.next()
      if (done) {
        this.#hand = this.#entries.entries()
        continue
      }
      const [key, entry] = value
      if (!entry.asked || step === steps) {
        this.#entries.delete(key)
        return
      }
      entry.asked = false
      step++
    }
  }
}
