import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import { auditingUnwrap } from '../db/audit.ts'
import { carryOutFenced, type Fence, FencedError } from '../db/transaction.ts'
import type { Unwrap } from '../encryption/datakeys.ts'
import type { Logger } from '../k8s/reconciler.ts'
import { operatorActor } from './dependencies.ts'

export interface UnwrapJournalOptions {
  readonly pool: Pool
  readonly fence: () => Fence
  /** Told when a write was fenced off: the program must end. */
  readonly onFenced: () => void
  readonly logger: Logger
  /** Milliseconds until an unwrap is written, and until it is tried again. */
  readonly pace?: { readonly soon: number; readonly again: number }
}

const usual = { soon: 500, again: 5000 } as const
/** What waits while PostgreSQL is away; far more than the data keys that can be unwrapped meanwhile, which takes PostgreSQL. */
const most = 10_000
const batchSize = 250
/** Milliseconds that the last writing may take. */
const patience = 3000
const unwrapper = { actorKind: 'operator', actor: operatorActor } as const

/** The operator's unwraps of data keys: in the log at once, and in the audit trail within a second, or as soon as it can be. */
export class UnwrapJournal {
  readonly #options: UnwrapJournalOptions
  #waiting: (Unwrap & { readonly at: Date })[] = []
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(options: UnwrapJournalOptions) {
    this.#options = options
  }

  add(unwrap: Unwrap): void {
    const { logger, pace = usual } = this.#options
    logger.info({ ...unwrap }, 'a data key was unwrapped')
    if (this.#waiting.length >= most) {
      logger.error({ ...unwrap }, 'the unwrap of a data key is in this log alone')
      return
    }
    this.#waiting.push({ ...unwrap, at: new Date() })
    this.#writeIn(pace.soon)
  }

  /** Writes what waits, the last time. Never rejects. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    const written = this.#writing.then(() => this.#write())
    await Promise.race([written, sleep(patience, undefined, { ref: false })])
    clearTimeout(this.#timer)
  }

  #writeIn(delay: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#writing = this.#writing.then(() => this.#write())
    }, delay)
  }

  /** Never rejects: what could not be written is kept. */
  async #write(): Promise<void> {
    const { pool, fence, onFenced, logger, pace = usual } = this.#options
    try {
      while (this.#waiting.length > 0) {
        const batch = this.#waiting.slice(0, batchSize)
        const work = batch.map((unwrap) => ({
          organizationId: unwrap.organizationId,
          statements: [auditingUnwrap(unwrap, unwrapper)],
        }))
        await carryOutFenced(pool, { actor: operatorActor, fence: fence() }, work)
        this.#waiting.splice(0, batch.length)
      }
    } catch (error) {
      if (error instanceof FencedError) return onFenced()
      logger.warn({ err: error }, 'unwraps of data keys could not be written down; later')
      this.#writeIn(pace.again)
    }
  }
}
