import type { Queryable } from '../db/credentialindex.ts'
import { type ApiKeyUse, recordApiKeyUsage } from '../db/usage.ts'
import type { Meter } from './index/meter.ts'
import type { Meters } from './index/meters.ts'
import { type AuthLog, reasonOf } from './log.ts'
import { PeriodicWriter } from './periodic.ts'

export interface UsageWriterOptions {
  readonly db: Queryable
  readonly meters: Meters
  readonly log: AuthLog
  /** Milliseconds between two batches. */
  readonly interval: number
}

/** Small, because whoever asks for a check meanwhile waits while one is put together. */
const batchSize = 250
/** Keys of one time: where more are in use at once, each is written down less often, and not the checks slowed. */
const mostAtATime = 10_000

/**
 * Writes back when keys were last used and how often. What waits is bounded by the keys that there are, however long
 * the database is away.
 */
export class UsageWriter extends PeriodicWriter {
  readonly #options: UsageWriterOptions
  #succeeded = 0
  #failed = 0

  constructor(options: UsageWriterOptions) {
    super((last) => this.#write(last ? Number.POSITIVE_INFINITY : mostAtATime), options.interval)
    this.#options = options
  }

  get succeeded(): number {
    return this.#succeeded
  }

  get failed(): number {
    return this.#failed
  }

  async #write(most: number): Promise<void> {
    const { db, meters, log } = this.#options
    const used = meters.takeUsed(most)
    for (let start = 0; start < used.length; start += batchSize) {
      const batch = used.slice(start, start + batchSize)
      const uses = batch.map(take)
      try {
        await recordApiKeyUsage(db, uses)
        this.#succeeded++
      } catch (error) {
        this.#failed++
        for (const [at, meter] of batch.entries()) meters.giveBack(meter, uses[at]?.uses ?? 0)
        for (const meter of used.slice(start + batchSize)) meters.giveBack(meter, take(meter).uses)
        log.warn({ error: reasonOf(error) }, 'the use of API keys could not be written; later')
        return
      }
    }
  }
}

function take(meter: Meter): ApiKeyUse {
  const { apiKeyId, organizationId, lastUsedAt, uses } = meter
  meter.uses = 0
  return { apiKeyId, organizationId, lastUsedAt, uses }
}
