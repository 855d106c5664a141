import type { Pool, QueryResult } from 'pg'
import { deletion, insertion, literal, type Reading, readingsOf } from './statement.ts'
import { signingKeys } from './tables/signingkey.ts'

export type SigningKeyRow = typeof signingKeys.$inferSelect

const reading = readingsOf(signingKeys)

/** The signing keys of an installation, in the order in which they sign; locked until the end of the transaction. */
export function lockedSigningKeys(installation: string): Reading<readonly SigningKeyRow[]> {
  return reading(`${ofInstallation(installation)} for update`, (rows) => rows)
}

/** The signing keys of an installation, in the order in which they sign. */
export async function signingKeysOf(
  pool: Pool,
  installation: string,
): Promise<readonly SigningKeyRow[]> {
  const { text, decode } = reading(ofInstallation(installation), (rows) => rows)
  return decode((await pool.query(text)).rows)
}

function ofInstallation(installation: string): string {
  return `where installation = ${literal(installation)} order by active_at, id`
}

export const signingKeyStatements = {
  insertion: (rows: readonly SigningKeyRow[]): string => insertion(signingKeys, rows),
  deletion: (ids: readonly string[]): string => deletion(signingKeys, ids),
  /** Puts an envelope of another KEK in the place of this one. */
  resealing: (id: string, privateKey: unknown): string =>
    `update cardea_keys.signing_keys set private_key = ${literal(JSON.stringify(privateKey))} where id = ${literal(id)}`,
}

/** What is published of a signing key. */
export type PublishedSigningKey = Pick<SigningKeyRow, 'id' | 'algorithm' | 'publicJwk'>

/** The public halves of an installation's signing keys, in the order in which they sign. */
export async function publishedSigningKeys(
  db: {
    query(text: string, values: string[]): Promise<QueryResult<PublishedSigningKey>>
  },
  installation: string,
): Promise<readonly PublishedSigningKey[]> {
  const { rows } = await db.query(
    `select id, algorithm, public_jwk as "publicJwk" from cardea_keys.signing_keys
     where installation = $1 order by active_at, id limit 100`,
    [installation],
  )
  return rows
}
