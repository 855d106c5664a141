import { eq, inArray } from 'drizzle-orm'
import type { Pool } from 'pg'
import { recordStore } from './record.ts'
import { apiKeySecrets, apiKeys } from './tables/apikey.ts'
import type { Transaction } from './transaction.ts'

export type ApiKeyRow = typeof apiKeys.$inferSelect
export type ApiKeySecretRow = typeof apiKeySecrets.$inferSelect
export const apiKeyStore = recordStore<ApiKeyRow>(apiKeys)

/** All secrets of a key, the oldest first. */
export async function loadSecrets(tx: Transaction, apiKeyId: string): Promise<ApiKeySecretRow[]> {
  return tx
    .select()
    .from(apiKeySecrets)
    .where(eq(apiKeySecrets.apiKeyId, apiKeyId))
    .orderBy(apiKeySecrets.createdAt, apiKeySecrets.id)
}

export async function insertSecret(
  tx: Transaction,
  values: typeof apiKeySecrets.$inferInsert,
): Promise<void> {
  await tx.insert(apiKeySecrets).values(values)
}

export async function updateSecret(
  tx: Transaction,
  id: string,
  values: Partial<ApiKeySecretRow>,
): Promise<void> {
  await tx.update(apiKeySecrets).set(values).where(eq(apiKeySecrets.id, id))
}

export async function removeSecrets(tx: Transaction, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await tx.delete(apiKeySecrets).where(inArray(apiKeySecrets.id, [...ids]))
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
