import type { Pool } from 'pg'
import { auditingUnwrap } from '../../db/audit.ts'
import { type ProviderCredentialUse, recordingUse } from '../../db/providercredential.ts'
import { carryOutFor } from '../../db/transaction.ts'
import { type AuthLog, reasonOf } from '../log.ts'
import { PeriodicWriter } from '../periodic.ts'
import { type PendingUnwraps, unwrapper } from './unwraps.ts'

export interface VaultUsageOptions {
  readonly pool: Pool
  readonly unwraps: PendingUnwraps
  readonly log: AuthLog
  /** Milliseconds between two batches. */
  readonly interval: number
}

const batchSize = 250

/**
 * Writes back, in batches, when credentials were last given out and how often; and the unwraps whose requests ended without
 * writing anything. What waits is bounded by the credentials that there are.
 */
export class VaultUsage extends PeriodicWriter {
  readonly #options: VaultUsageOptions
  #uses = new Map<string, ProviderCredentialUse>()

  constructor(options: VaultUsageOptions) {
    super(() => this.#write(), options.interval)
    this.#options = options
  }

  count(organizationId: string, id: string): void {
    this.#add({ organizationId, id, lastUsedAt: Date.now(), uses: 1 })
  }

  async #write(): Promise<void> {
    const { pool, log, unwraps } = this.#options
    const waiting = [...unwraps.take()]
    const uses = [...this.#uses.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1))
    this.#uses = new Map()
    try {
      while (waiting.length > 0) {
        const batch = waiting.slice(0, batchSize)
        await carryOutFor(
          pool,
          batch.map((unwrap) => ({
            organizationId: unwrap.organizationId,
            statements: [auditingUnwrap(unwrap, unwrapper)],
          })),
        )
        waiting.splice(0, batchSize)
      }
      while (uses.length > 0) {
        await carryOutFor(pool, recordingUse(uses.slice(0, batchSize)))
        uses.splice(0, batchSize)
      }
    } catch (error) {
      for (const use of uses) this.#add(use)
      unwraps.giveBack(waiting)
      log.warn({ error: reasonOf(error) }, 'the use of the vault could not be written; later')
    }
  }

  #add(use: ProviderCredentialUse): void {
    const key = `${use.organizationId}/${use.id}`
    const known = this.#uses.get(key)
    const uses = use.uses + (known?.uses ?? 0)
    const lastUsedAt = Math.max(use.lastUsedAt, known?.lastUsedAt ?? 0)
    this.#uses.set(key, { ...use, uses, lastUsedAt })
  }
}
