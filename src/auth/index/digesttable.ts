import { randomFillSync } from 'node:crypto'

const wordsPerDigest = 8
const minBuckets = 1024

/**
 * Values by SHA-256 digest, in typed arrays with open addressing: a third of a Map's memory for each entry, and nothing
 * for the garbage collector to walk. A digest is a string of 32 latin1 characters, which is how a hash is had fastest.
 *
 * The hash is keyed, because digests of imported keys are chosen by whoever imports them: without a key, a tenant could
 * choose ten thousand that fall into one place and slow everybody down.
 */
export class DigestTable<Value> {
  readonly #keys = randomFillSync(new Uint32Array(wordsPerDigest * 2))
  readonly #probe = new Uint32Array(wordsPerDigest)
  /** For each bucket the slot + 1, or 0. */
  #buckets = new Int32Array(minBuckets)
  #shift = 32 - Math.log2(minBuckets)
  #digests = new Uint32Array((minBuckets / 2) * wordsPerDigest)
  readonly #values: (Value | undefined)[] = []
  readonly #free: number[] = []

  get size(): number {
    return this.#values.length - this.#free.length
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
    const words = this.#digests.subarray(slot * wordsPerDigest, (slot + 1) * wordsPerDigest)
    const bytes = [...words].flatMap((word) => [word, word >>> 8, word >>> 16, word >>> 24])
    return String.fromCharCode(...bytes.map((byte) => byte & 0xff))
  }

  get(digest: string): Value | undefined {
    const bucket = this.#find(digest)
    const slot = this.#buckets[bucket] as number
    return slot === 0 ? undefined : this.#values[slot - 1]
  }

  /** Puts a value in. Answers its slot, which is what takes it out again. */
  set(digest: string, value: Value): number {
    const bucket = this.#find(digest)
    const known = this.#buckets[bucket] as number
    const slot = known > 0 ? known - 1 : (this.#free.pop() ?? this.#values.length)
    this.#values[slot] = value
    if (known > 0) return slot
    if (slot * wordsPerDigest === this.#digests.length) this.#growDigests()
    this.#digests.set(this.#probe, slot * wordsPerDigest)
    this.#buckets[bucket] = slot + 1
    if (this.size * 2 > this.#buckets.length) this.#growBuckets()
    return slot
  }

  /** Empties a slot, if this value still is in it: its digest may have passed to another meanwhile. */
  delete(slot: number, value: Value): boolean {
    if (this.#values[slot] !== value) return false
    this.#values[slot] = undefined
    this.#free.push(slot)
    const mask = this.#buckets.length - 1
    let hole = this.#home(this.#digests, slot * wordsPerDigest)
    while (this.#buckets[hole] !== slot + 1) hole = (hole + 1) & mask
    // Close the gap: whatever would no longer be found behind the empty bucket moves into it.
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const other = this.#buckets[at] as number
      if (other === 0) break
      const home = this.#home(this.#digests, (other - 1) * wordsPerDigest)
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        this.#buckets[hole] = other
        hole = at
      }
    }
    this.#buckets[hole] = 0
    return true
  }

  /** The bucket of a digest: where it is, or the empty one where it would be. Leaves its words in the probe. */
  #find(digest: string): number {
    const probe = this.#probe
    if (digest.length !== wordsPerDigest * 4) throw new RangeError('a digest has 32 bytes')
    for (let word = 0; word < wordsPerDigest; word++) {
      const at = word * 4
      probe[word] =
        digest.charCodeAt(at) |
        (digest.charCodeAt(at + 1) << 8) |
        (digest.charCodeAt(at + 2) << 16) |
        (digest.charCodeAt(at + 3) << 24)
    }
    const mask = this.#buckets.length - 1
    for (let bucket = this.#home(probe, 0); ; bucket = (bucket + 1) & mask) {
      const slot = this.#buckets[bucket] as number
      if (slot === 0 || this.#isProbe((slot - 1) * wordsPerDigest)) return bucket
    }
  }

  #isProbe(offset: number): boolean {
    for (let word = 0; word < wordsPerDigest; word++) {
      if (this.#digests[offset + word] !== this.#probe[word]) return false
    }
    return true
  }

  /** The upper bits of a keyed sum over 16-bit parts: multilinear hashing, universal for whoever does not know the keys. */
  #home(words: Uint32Array, offset: number): number {
    let sum = 0
    for (let part = 0; part < wordsPerDigest * 2; part += 2) {
      const word = words[offset + (part >> 1)] as number
      sum += Math.imul(word & 0xffff, this.#keys[part] as number)
      sum += Math.imul(word >>> 16, this.#keys[part + 1] as number)
    }
    return sum >>> this.#shift
  }

  #growDigests(): void {
    const larger = new Uint32Array(this.#digests.length * 2)
    larger.set(this.#digests)
    this.#digests = larger
  }

  #growBuckets(): void {
    const count = this.#buckets.length * 2
    const buckets = new Int32Array(count)
    this.#shift--
    for (const slot of this.#buckets) {
      if (slot === 0) continue
      let bucket = this.#home(this.#digests, (slot - 1) * wordsPerDigest)
      while (buckets[bucket] !== 0) bucket = (bucket + 1) & (count - 1)
      buckets[bucket] = slot
    }
    this.#buckets = buckets
  }
}
