/** A set of at most `max` values that forgets the older half when it is full, at no cost for each. */
export class RecentSet<Value> {
  readonly #half: number
  #young = new Set<Value>()
  #old = new Set<Value>()

  constructor(max: number) {
    this.#half = Math.ceil(max / 2)
  }

  has(value: Value): boolean {
    return this.#young.has(value) || this.#old.has(value)
  }

  add(value: Value): void {
    if (this.#young.size >= this.#half) {
      this.#old = this.#young
      this.#young = new Set()
    }
    this.#young.add(value)
  }

  clear(): void {
    this.#young.clear()
    this.#old.clear()
  }
}
