import type { Pool } from 'pg'
import type { Owner } from '../domain/ownership.ts'
import { isOf, recordStore } from './record.ts'
import { deletion, insertion, literal, type Reading, readingsOf, update } from './statement.ts'
import { apiKeySecrets, apiKeys } from './tables/apikey.ts'

export type ApiKeyRow = typeof apiKeys.$inferSelect
export type ApiKeySecretRow = typeof apiKeySecrets.$inferSelect
export const apiKeyStore = recordStore<ApiKeyRow>(apiKeys)

const secretReading = readingsOf(apiKeySecrets)
/** All secrets of the keys that an owner's may be, the oldest first: whose it is, the key's own row tells. */
export function secretsOfOwner(owner: Owner): Reading<readonly ApiKeySecretRow[]> {
  const keys = `select id from cardea.api_keys where ${isOf(owner)}`
  return secretReading(`where api_key_id in (${keys}) order by created_at, id`, (rows) => rows)
}

export const secretStatements = {
  insertion: (rows: readonly (typeof apiKeySecrets.$inferInsert)[]) =>
    insertion(apiKeySecrets, rows),
  update: (id: string, values: Partial<ApiKeySecretRow>) => update(apiKeySecrets, id, values),
  deletion: (ids: readonly string[]) => deletion(apiKeySecrets, ids),
  /** Of one key. */
  deletionOfAll: (apiKeyId: string) =>
    `delete from cardea.api_key_secrets where api_key_id = ${literal(apiKeyId)}`,
}

/** Whether a key of this digest was minted once and is over for good. */
export async function isRevokedDigest(pool: Pick<Pool, 'query'>, digest: Buffer): Promise<boolean> {
  const { rows } = await pool.query<{ revoked: boolean }>(
    'select cardea.is_revoked_digest($1) as revoked',
    [digest],
  )
  return rows[0]?.revoked ?? true
}

/** Whether an error is PostgreSQL's refusal of a digest that another live key has. */
export function isDuplicateDigest(error: unknown): boolean {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  return (
    typeof cause === 'object' &&
    cause !== null &&
    'constraint' in cause &&
    cause.constraint === 'api_key_secrets_live_digest'
  )
}
