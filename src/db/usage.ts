import type { Queryable } from './credentialindex.ts'

/** How often one API key was used since the last time that this was told. */
export interface ApiKeyUse {
  readonly organizationId: string
  readonly apiKeyId: string
  /** Seconds since the epoch. */
  readonly lastUsedAt: number
  readonly uses: number
}

/**
 * Adds to what is known of these keys' use, in one transaction that sets the tenant for each organization in turn.
 * A key that is gone is passed over.
 */
export async function recordApiKeyUsage(db: Queryable, uses: readonly ApiKeyUse[]): Promise<void> {
  const entries: Record<string, (string | number)[][]> = {}
  for (const { organizationId, apiKeyId, lastUsedAt, uses: count } of uses) {
    entries[organizationId] ??= []
    entries[organizationId].push([apiKeyId, lastUsedAt, count])
  }
  await db.query('select cardea.record_api_key_usage($1::jsonb)', [JSON.stringify(entries)])
}
