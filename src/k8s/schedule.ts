/** What is due later, by key: at most one time a key, the earliest that was asked for. */
export interface Scheduled<V> {
  readonly key: string
  readonly at: number
  readonly value: V
}

/**
 * A binary heap beside a map. Replaced and cancelled entries stay in the heap until they surface,
 * and the heap is rebuilt before they outnumber the living: a key that is woken a thousand times a
 * second must not leave a thousand entries behind.
 */
export class Schedule<V> {
  readonly #byKey = new Map<string, Scheduled<V>>()
  #heap: Scheduled<V>[] = []

  get size(): number {
    return this.#byKey.size
  }

  /** Keeps the earlier of this time and the one already there. */
  set(key: string, at: number, value: V): void {
    const existing = this.#byKey.get(key)
    if (existing !== undefined && existing.at <= at) return
    const entry = { key, at, value }
    this.#byKey.set(key, entry)
    this.#push(entry)
  }

  delete(key: string): void {
    this.#byKey.delete(key)
  }

  /** The time of the earliest entry, or undefined when there is none. */
  next(): number | undefined {
    this.#dropDead()
    return this.#heap[0]?.at
  }

  /** Takes out the earliest entry that is due at `now`, or undefined. */
  takeDue(now: number): Scheduled<V> | undefined {
    this.#dropDead()
    const first = this.#heap[0]
    if (first === undefined || first.at > now) return undefined
    this.#pop()
    this.#byKey.delete(first.key)
    return first
  }

  #dropDead(): void {
    for (;;) {
      const first = this.#heap[0]
      if (first === undefined || this.#byKey.get(first.key) === first) return
      this.#pop()
    }
  }

  #push(entry: Scheduled<V>): void {
    if (this.#heap.length > 2 * this.#byKey.size + 64) {
      this.#heap = [...this.#byKey.values()].sort((a, b) => a.at - b.at)
      return
    }
    let index = this.#heap.push(entry) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (this.#at(parent) <= entry.at) break
      this.#swap(index, parent)
      index = parent
    }
  }

  #pop(): void {
    const last = this.#heap.pop()
    if (last === undefined || this.#heap.length === 0) return
    this.#heap[0] = last
    let index = 0
    for (;;) {
      const left = 2 * index + 1
      const child = this.#at(left + 1) < this.#at(left) ? left + 1 : left
      if (this.#at(child) >= last.at) return
      this.#swap(index, child)
      index = child
    }
  }

  #at(index: number): number {
    return this.#heap[index]?.at ?? Number.POSITIVE_INFINITY
  }

  #swap(a: number, b: number): void {
    const [x, y] = [this.#heap[a], this.#heap[b]]
    if (x === undefined || y === undefined) return
    this.#heap[a] = y
    this.#heap[b] = x
  }
}
