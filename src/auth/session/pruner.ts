import type { Pool } from 'pg'
import { prunePeople } from '../../db/prune.ts'
import { type AuthLog, reasonOf } from '../log.ts'

/** Milliseconds. */
const hour = 3_600_000
/** Days for which somebody may ask what a session was, or what became of a mail. */
const kept = 30
/** Of some thousand rows each. What is left then goes an hour later. */
const rounds = 1000

export interface PrunerOptions {
  readonly pool: Pool
  readonly log: AuthLog
  /** Between 0 and 1: replicas that started together do not ask together. */
  readonly random: () => number
}

/** Has what is over forgotten, about once an hour. Of several replicas at once, one does it. */
export class Pruner {
  readonly #options: PrunerOptions
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(options: PrunerOptions) {
    this.#options = options
  }

  start(): void {
    const wait = hour * (0.5 + this.#options.random())
    this.#timer = setTimeout(() => {
      this.start()
      void this.prune()
    }, wait)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  /** Never rejects. */
  async prune(): Promise<void> {
    try {
      for (let round = 0; round < rounds && !this.#stopped; round++) {
        if ((await prunePeople(this.#options.pool, kept)) === 0) return
      }
    } catch (error) {
      const detail = { error: reasonOf(error) }
      this.#options.log.warn(detail, 'what is over could not be forgotten')
    }
  }
}
