import type { Queryable } from '../db/credentialindex.ts'
import { recordSessionActivity } from '../db/sessionactivity.ts'
import type { Activity } from './index/activity.ts'
import { type AuthLog, reasonOf } from './log.ts'
import { PeriodicWriter } from './periodic.ts'

export interface SessionActivityOptions {
  readonly db: Queryable
  readonly activity: Activity
  readonly log: AuthLog
  /** Milliseconds between two batches. */
  readonly interval: number
}

const batchSize = 500
/** Milliseconds in which what is urgent comes together. */
const haste = 50

/** Writes back when sessions were last seen. */
export class SessionActivityWriter extends PeriodicWriter {
  readonly #options: SessionActivityOptions
  #urgent: NodeJS.Timeout | undefined

  constructor(options: SessionActivityOptions) {
    super(() => this.#write(), options.interval)
    this.#options = options
    options.activity.onUrgent = () => {
      this.#urgent ??= setTimeout(() => {
        this.#urgent = undefined
        void this.flush()
      }, haste)
    }
  }

  override async stop(): Promise<void> {
    clearTimeout(this.#urgent)
    await super.stop()
  }

  async #write(): Promise<void> {
    const { db, activity, log } = this.#options
    const entries = [...activity.take()]
    for (let start = 0; start < entries.length; start += batchSize) {
      try {
        await recordSessionActivity(db, entries.slice(start, start + batchSize))
      } catch (error) {
        activity.giveBack(entries.slice(start))
        log.warn({ error: reasonOf(error) }, 'when sessions were seen could not be written; later')
        return
      }
    }
  }
}
