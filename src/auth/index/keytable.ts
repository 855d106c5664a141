import { randomFillSync } from 'node:crypto'

const minBuckets = 64

/**
 * Slots by a key of a fixed size, in typed arrays with open addressing: a third of a Map's memory for each entry, and nothing
 * for the garbage collector to walk. A key is a string of latin1 characters, which is how a hash is had fastest. Who has
 * the table hands out the slots, from 0 on.
 *
 * The hash is keyed, because digests of imported keys are chosen by whoever imports them: without a key, a tenant could
 * choose ten thousand that fall into one place and slow everybody down.
 */
export class KeyTable {
  /** 32-bit words of a key. */
  readonly #words: number
  readonly #secret: Uint32Array
  readonly #probe: Uint32Array
  /** For each bucket the slot + 1, or 0. */
  #buckets = new Int32Array(minBuckets)
  #shift = 32 - Math.log2(minBuckets)
  /** By slot. */
  #keys: Uint32Array
  #size = 0

  /** @param bytes of a key, a multiple of 4 */
  constructor(bytes: number) {
    this.#words = bytes / 4
    this.#secret = randomFillSync(new Uint32Array(this.#words * 2))
    this.#probe = new Uint32Array(this.#words)
    this.#keys = new Uint32Array((minBuckets / 2) * this.#words)
  }

  get size(): number {
    return this.#size
  }

  /**
   * Makes room at once: growing leaves behind what it grew out of, and stops everybody each time.
   * @param slots that may be taken; room that nobody takes costs nothing
   * @param keys that there will be: buckets are all over the memory that they have, so too many are not free
   */
  reserve(slots: number, keys: number): void {
    this.#makeSlots(slots)
    let buckets = this.#buckets.length
    while (keys * 2 > buckets) buckets *= 2
    if (buckets > this.#buckets.length) this.#rehash(buckets)
  }

  /** The key that is, or was last, in a slot. */
  key(slot: number): string {
    const bytes = Buffer.alloc(this.#words * 4)
    this.read(slot, bytes)
    return bytes.toString('latin1')
  }

  /** Writes the key that is, or was last, in a slot. @param bytes as many as a key has */
  read(slot: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += 4) {
      const word = this.#keys[slot * this.#words + (at >> 2)] as number
      bytes[at] = word
      bytes[at + 1] = word >>> 8
      bytes[at + 2] = word >>> 16
      bytes[at + 3] = word >>> 24
    }
  }

  /** The slot of a key, or -1. */
  find(key: string): number {
    return (this.#buckets[this.#bucketOf(key)] as number) - 1
  }

  /** Puts a key that is not here into a slot that is free. */
  add(key: string, slot: number): void {
    const bucket = this.#bucketOf(key)
    const slots = this.#keys.length / this.#words
    if (slot >= slots) this.#makeSlots(Math.max(slot + 1, slots * 2))
    this.#keys.set(this.#probe, slot * this.#words)
    this.#buckets[bucket] = slot + 1
    this.#size++
    if (this.#size * 2 > this.#buckets.length) this.#rehash(this.#buckets.length * 2)
  }

  /** Empties a slot that is taken. */
  delete(slot: number): void {
    const mask = this.#buckets.length - 1
    let hole = this.#home(this.#keys, slot * this.#words)
    while (this.#buckets[hole] !== slot + 1) hole = (hole + 1) & mask
    // Close the gap: whatever would no longer be found behind the empty bucket moves into it.
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const other = this.#buckets[at] as number
      if (other === 0) break
      const home = this.#home(this.#keys, (other - 1) * this.#words)
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        this.#buckets[hole] = other
        hole = at
      }
    }
    this.#buckets[hole] = 0
    this.#size--
  }

  /** The bucket of a key: where it is, or the empty one where it would be. Leaves its words in the probe. */
  #bucketOf(key: string): number {
    const probe = this.#probe
    if (key.length !== this.#words * 4) throw new RangeError('the key is of another size')
    for (let word = 0; word < probe.length; word++) {
      const at = word * 4
      probe[word] =
        key.charCodeAt(at) |
        (key.charCodeAt(at + 1) << 8) |
        (key.charCodeAt(at + 2) << 16) |
        (key.charCodeAt(at + 3) << 24)
    }
    const mask = this.#buckets.length - 1
    for (let bucket = this.#home(probe, 0); ; bucket = (bucket + 1) & mask) {
      const slot = this.#buckets[bucket] as number
      if (slot === 0 || this.#isProbe((slot - 1) * probe.length)) return bucket
    }
  }

  #isProbe(offset: number): boolean {
    const probe = this.#probe
    for (let word = 0; word < probe.length; word++) {
      if (this.#keys[offset + word] !== probe[word]) return false
    }
    return true
  }

  /** The upper bits of a keyed sum over 16-bit parts: multilinear hashing, universal for whoever does not know the secret. */
  #home(words: Uint32Array, offset: number): number {
    const secret = this.#secret
    let sum = 0
    for (let part = 0; part < secret.length; part += 2) {
      const word = words[offset + (part >> 1)] as number
      sum += Math.imul(word & 0xffff, secret[part] as number)
      sum += Math.imul(word >>> 16, secret[part + 1] as number)
    }
    return sum >>> this.#shift
  }

  #makeSlots(count: number): void {
    if (count * this.#words <= this.#keys.length) return
    const larger = new Uint32Array(count * this.#words)
    larger.set(this.#keys)
    this.#keys = larger
  }

  /** @param count of buckets, a power of two */
  #rehash(count: number): void {
    const buckets = new Int32Array(count)
    this.#shift = 32 - Math.log2(count)
    for (const slot of this.#buckets) {
      if (slot === 0) continue
      let bucket = this.#home(this.#keys, (slot - 1) * this.#words)
      while (buckets[bucket] !== 0) bucket = (bucket + 1) & (count - 1)
      buckets[bucket] = slot
    }
    this.#buckets = buckets
  }
}
