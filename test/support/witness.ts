import { setTimeout as sleep } from 'node:timers/promises'
import { check, type Shown } from './ask.ts'

/** Milliseconds between two requests of the load that goes on all the time. */
const pause = 2
/** A revocation that takes longer than any promise is a failure, not a wait. */
const patience = 15_000

/**
 * Asks one auth replica without end, and remembers what it said: a key that it once refused must never be allowed again.
 */
export class Witness {
  readonly url: string
  /** What the replica must not have said. */
  readonly faults: string[] = []
  readonly #valid: Shown[]
  readonly #refused: Shown[] = []
  #asked = 0
  #ended = false
  #loop: Promise<void> | undefined

  /** @param valid keys that stay good; they are asked about in turn with those that were refused */
  constructor(url: string, valid: readonly Shown[]) {
    this.url = url
    this.#valid = [...valid]
  }

  /** Requests of the load so far. */
  get asked(): number {
    return this.#asked
  }

  start(): void {
    this.#loop ??= this.#run()
  }

  async stop(): Promise<void> {
    this.#ended = true
    await this.#loop
  }

  /**
   * Asks about a credential until it is refused.
   * @returns when that was, on the monotonic clock
   */
  async refusal(key: Shown): Promise<number> {
    const end = performance.now() + patience
    for (;;) {
      const status = await check(this.url, key)
      if (status === refusedWith(key)) break
      if (status !== 200) throw new Error(`${this.url} answered ${status}`)
      if (performance.now() > end) throw new Error(`${this.url} allows the key for ever`)
    }
    const at = performance.now()
    this.#refused.push(key)
    return at
  }

  async #run(): Promise<void> {
    for (let turn = 0; !this.#ended; turn++) {
      await this.#expect(this.#valid[turn % this.#valid.length], 200)
      const refused = this.#refused[turn % this.#refused.length]
      await this.#expect(refused, refusedWith(refused))
      await sleep(pause)
    }
  }

  async #expect(key: Shown | undefined, status: number): Promise<void> {
    if (key === undefined) return
    const answer = await check(this.url, key).catch(String)
    this.#asked++
    if (answer !== status) {
      const name = typeof key === 'string' ? `…${key.slice(-4)}` : JSON.stringify(key)
      this.faults.push(`${name}: ${answer} instead of ${status}`)
    }
  }
}

/** Whoever asks for a permission that they lost is known still. */
function refusedWith(shown: Shown | undefined): number {
  return typeof shown === 'object' && shown.query !== undefined ? 403 : 401
}
