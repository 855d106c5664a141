import { KeyTable } from './keytable.ts'

/** Values by SHA-256 digest. A digest is a string of 32 latin1 characters. */
export class DigestTable<Value> {
  readonly #digests = new KeyTable(32)
  readonly #values: (Value | undefined)[] = []
  readonly #free: number[] = []

  get size(): number {
    return this.#digests.size
  }

  /** Makes room for digests, as `KeyTable` has it. */
  reserve(slots: number, digests: number): void {
    this.#digests.reserve(slots, digests)
  }

  /** One more than the highest slot that may be taken. */
  get slots(): number {
    return this.#values.length
  }

  /** What is in a slot, for whoever walks over all of them. */
  at(slot: number): Value | undefined {
    return this.#values[slot]
  }

  /** The digest that is, or was last, in a slot. */
  digest(slot: number): string {
    return this.#digests.key(slot)
  }

  get(digest: string): Value | undefined {
    const slot = this.#digests.find(digest)
    return slot < 0 ? undefined : this.#values[slot]
  }

  /** Puts a value in. Answers its slot, which is what takes it out again. */
  set(digest: string, value: Value): number {
    const known = this.#digests.find(digest)
    const slot = known >= 0 ? known : (this.#free.pop() ?? this.#values.length)
    this.#values[slot] = value
    if (known < 0) this.#digests.add(digest, slot)
    return slot
  }

  /** Empties a slot, if this value still is in it: its digest may have passed to another meanwhile. */
  delete(slot: number, value: Value): boolean {
    if (this.#values[slot] !== value) return false
    this.#values[slot] = undefined
    this.#free.push(slot)
    this.#digests.delete(slot)
    return true
  }
}
