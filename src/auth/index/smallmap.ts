/** Beyond this many, a Map is faster than looking at all of them. */
const few = 8

/**
 * A map by string that takes little room while it has few entries: of most things, each of ten thousand organizations has
 * none, one or two.
 */
export class SmallMap<Value> {
  /** Few entries are an array of exactly their size, keys and values in turn; undefined: none. */
  #entries: Map<string, Value> | readonly (string | Value)[] | undefined

  get size(): number {
    if (this.#entries === undefined) return 0
    return this.#entries instanceof Map ? this.#entries.size : this.#entries.length / 2
  }

  get(key: string): Value | undefined {
    const entries = this.#entries
    if (entries === undefined) return undefined
    if (entries instanceof Map) return entries.get(key)
    for (let at = 0; at < entries.length; at += 2) {
      if (entries[at] === key) return entries[at + 1] as Value
    }
    return undefined
  }

  set(key: string, value: Value): void {
    const entries = this.#entries ?? []
    if (entries instanceof Map) entries.set(key, value)
    else if (entries.length < few * 2) this.#entries = [...without(entries, key), key, value]
    else this.#entries = new Map([...pairs<Value>(entries), [key, value]])
  }

  delete(key: string): void {
    const entries = this.#entries
    if (entries instanceof Map) entries.delete(key)
    else if (entries !== undefined) this.#entries = without(entries, key)
  }

  values(): readonly Value[] {
    const entries = this.#entries
    if (entries === undefined) return []
    if (entries instanceof Map) return [...entries.values()]
    return pairs<Value>(entries).map(([, value]) => value)
  }
}

function without<Value>(
  entries: readonly (string | Value)[],
  key: string,
): readonly (string | Value)[] {
  for (let at = 0; at < entries.length; at += 2) {
    if (entries[at] === key) return entries.toSpliced(at, 2)
  }
  return entries
}

function pairs<Value>(entries: readonly (string | Value)[]): [string, Value][] {
  return Array.from({ length: entries.length / 2 }, (_, at) => [
    entries[at * 2] as string,
    entries[at * 2 + 1] as Value,
  ])
}
