import type { Queryable } from '../db/credentialindex.ts'
import { forgetReplica, reportReplica } from '../db/replica.ts'
import { type AuthLog, reasonOf } from './log.ts'

export interface ReplicasOptions {
  readonly db: Queryable
  readonly log: AuthLog
  readonly id: string
  /** As many are always counted, so that a limit is not exceeded while replicas start. */
  readonly minimum: number
  /** Milliseconds between two reports. */
  readonly interval: number
}

/** Nobody runs more; whoever can write to the table must not be able to bring every limit down to nothing. */
const maxReplicas = 1000

/** Counts the replicas that are alive: each lets through its share of a rate limit. */
export class Replicas {
  readonly #options: ReplicasOptions
  #timer: NodeJS.Timeout | undefined
  #reporting: Promise<void> | undefined
  #share: number

  constructor(options: ReplicasOptions) {
    this.#options = options
    this.#share = 1 / options.minimum
  }

  /** This replica's part of a limit: what was last heard, while the database is away. */
  get share(): number {
    return this.#share
  }

  start(): void {
    this.#report()
    this.#timer = setInterval(() => this.#report(), this.#options.interval)
  }

  /** Takes this replica out of the count. Never rejects. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#reporting
    const { db, id, log } = this.#options
    await forgetReplica(db, id).catch((error: unknown) => {
      log.warn({ error: reasonOf(error) }, 'this replica stays counted for a moment')
    })
  }

  #report(): void {
    const { db, id, minimum, log } = this.#options
    this.#reporting ??= reportReplica(db, id)
      .then((alive) => {
        this.#share = 1 / Math.max(Math.min(alive, maxReplicas), minimum)
      })
      .catch((error: unknown) => {
        log.debug({ error: reasonOf(error) }, 'this replica could not report')
      })
      .finally(() => {
        this.#reporting = undefined
      })
  }
}
