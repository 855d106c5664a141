/** Beyond this many, a Map is faster than looking at all of them. */
const few = 8

/**
 * A map by string that is small while it has few entries: most of ten thousand organizations have one or two of a thing,
 * and a Map for each would take more room than what is in it.
 */
export class SmallMap<Value> {
  #keys: string[] = []
  #values: Value[] = []
  #map: Map<string, Value> | undefined

  get size(): number {
    return this.#map?.size ?? this.#keys.length
  }

  get(key: string): Value | undefined {
    if (this.#map) return this.#map.get(key)
    const at = this.#keys.indexOf(key)
    return at < 0 ? undefined : this.#values[at]
  }

  set(key: string, value: Value): void {
    if (this.#map === undefined) {
      const at = this.#keys.indexOf(key)
      if (at >= 0) {
        this.#values[at] = value
        return
      }
      if (this.#keys.length < few) {
        this.#keys.push(key)
        this.#values.push(value)
        return
      }
      this.#map = new Map(
        this.#keys.map((known, position) => [known, this.#values[position] as Value]),
      )
      this.#keys = []
      this.#values = []
    }
    this.#map.set(key, value)
  }

  delete(key: string): void {
    if (this.#map) {
      this.#map.delete(key)
      return
    }
    const at = this.#keys.indexOf(key)
    if (at < 0) return
    this.#keys.splice(at, 1)
    this.#values.splice(at, 1)
  }

  values(): readonly Value[] {
    return this.#map ? [...this.#map.values()] : this.#values
  }
}
