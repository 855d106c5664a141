import type { Pool } from 'pg'
import { auditing } from '../../db/audit.ts'
import { type ProviderCredentialUse, recordingUse } from '../../db/providercredential.ts'
import { carryOutFor } from '../../db/transaction.ts'
import type { Unwrap } from '../../encryption/datakeys.ts'
import { type AuthLog, reasonOf } from '../log.ts'

export interface VaultUsageOptions {
  readonly pool: Pool
  readonly log: AuthLog
  /** Milliseconds between two batches. */
  readonly interval: number
}

/** Who unwraps, in the audit trail. */
const actor = 'cardea-auth'
const maxUnwraps = 1000
const batchSize = 250

/**
 * Writes back, in batches, when credentials were last given out and how often, and which data keys were unwrapped for it.
 * What waits is bounded: by the credentials that there are, and by a number.
 */
export class VaultUsage {
  readonly #options: VaultUsageOptions
  #uses = new Map<string, ProviderCredentialUse>()
  #unwraps: { readonly at: Date; readonly unwrap: Unwrap }[] = []
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined

  constructor(options: VaultUsageOptions) {
    this.#options = options
  }

  count(organizationId: string, id: string): void {
    this.#add({ organizationId, id, lastUsedAt: Date.now(), uses: 1 })
  }

  /** Takes a data key's unwrapping down; beyond what may wait, the log alone has it. */
  unwrapped(unwrap: Unwrap): void {
    this.#options.log.info({ ...unwrap }, 'a data key was unwrapped')
    if (this.#unwraps.length < maxUnwraps) this.#unwraps.push({ at: new Date(), unwrap })
  }

  start(): void {
    this.#timer = setInterval(() => void this.flush(), this.#options.interval)
  }

  /** Writes what there is, the last time. Never rejects. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#writing
    await this.flush()
  }

  /** Never rejects: what could not be written is kept for the next time. */
  async flush(): Promise<void> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
    })
    await this.#writing
  }

  async #write(): Promise<void> {
    const { pool, log } = this.#options
    const unwraps = this.#unwraps
    this.#unwraps = []
    const uses = [...this.#uses.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1))
    this.#uses = new Map()
    try {
      if (unwraps.length > 0) await carryOutFor(pool, unwraps.map(unwrapEvent))
      unwraps.length = 0
      while (uses.length > 0) {
        await carryOutFor(pool, recordingUse(uses.slice(0, batchSize)))
        uses.splice(0, batchSize)
      }
    } catch (error) {
      for (const use of uses) this.#add(use)
      this.#unwraps = [...unwraps, ...this.#unwraps].slice(0, maxUnwraps)
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

function unwrapEvent({ at, unwrap }: { readonly at: Date; readonly unwrap: Unwrap }) {
  const { organizationId, dataKeyVersion, kek } = unwrap
  const event = auditing({
    organizationId,
    actorKind: 'system',
    actor,
    action: 'data_key.unwrapped',
    targetKind: 'organization',
    targetId: organizationId,
    targetName: '',
    detail: { at: at.toISOString(), version: dataKeyVersion, kek, purpose: 'provider_credential' },
  })
  return { organizationId, statements: [event] }
}
