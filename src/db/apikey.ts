import type { Pool } from 'pg'
import type { Owner } from '../domain/ownership.ts'
import { isOf, recordStore } from './record.ts'
import { deletion, insertion, literal, type Reading, readingsOf, update } from './statement.ts'
import {
  apiKeyEnvelopes,
  apiKeySecrets,
  apiKeySecretsWithEnvelopes,
  apiKeys,
} from './tables/apikey.ts'

export type ApiKeyRow = typeof apiKeys.$inferSelect
export type ApiKeySecretRow = typeof apiKeySecretsWithEnvelopes.$inferSelect
export const apiKeyStore = recordStore<ApiKeyRow>(apiKeys)

const secretReading = readingsOf(apiKeySecretsWithEnvelopes)

/** All secrets of the keys that an owner's may be, the oldest first: whose it is, the key's own row tells. */
export function secretsOfOwner(owner: Owner): Reading<readonly ApiKeySecretRow[]> {
  const keys = `select id from cardea.api_keys where ${isOf(owner)}`
  return secretReading(`where api_key_id in (${keys}) order by created_at, id`, (rows) => rows)
}

export const secretStatements = {
  insertion: (rows: readonly Omit<ApiKeySecretRow, 'revokedAt'>[]): readonly string[] => {
    const envelopes = rows.flatMap(({ organizationId, id, apiKeyId, envelope }) =>
      envelope === null ? [] : [{ organizationId, secretId: id, apiKeyId, envelope }],
    )
    const bare = rows.map(({ envelope: _envelope, ...row }) => row)
    return [
      ...(bare.length > 0 ? [insertion(apiKeySecrets, bare)] : []),
      ...(envelopes.length > 0 ? [insertion(apiKeyEnvelopes, envelopes)] : []),
    ]
  },
  update: (id: string, values: Partial<ApiKeySecretRow>): readonly string[] => {
    const { envelope, ...rest } = values
    return [
      ...(Object.keys(rest).length > 0 ? [update(apiKeySecrets, id, rest)] : []),
      ...(envelope === undefined ? [] : [envelopeOf(id, envelope)]),
    ]
  },
  deletion: (ids: readonly string[]) => deletion(apiKeySecrets, ids),
  /** Of one key. */
  deletionOfAll: (apiKeyId: string) =>
    `delete from cardea.api_key_secrets where api_key_id = ${literal(apiKeyId)}`,
}

/** Puts an envelope in the place of what a secret has, or has lost. */
function envelopeOf(secretId: string, envelope: unknown): string {
  if (envelope === null) {
    return `delete from cardea_keys.api_key_envelopes where secret_id = ${literal(secretId)}`
  }
  return `insert into cardea_keys.api_key_envelopes (organization_id, secret_id, api_key_id, envelope)
    select organization_id, id, api_key_id, ${literal(JSON.stringify(envelope))}::jsonb from cardea.api_key_secrets where id = ${literal(secretId)}
    on conflict (organization_id, secret_id) do update set envelope = excluded.envelope`
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
