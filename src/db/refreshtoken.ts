import { literal } from './statement.ts'
import type { Transaction } from './transaction.ts'

/**
 * Writes a refresh token down, which is of use for as long as its session.
 * @param digest SHA-256, 32 bytes
 */
export function refreshTokenInsertion(sessionId: string, digest: Buffer): string {
  return `insert into cardea.refresh_tokens (organization_id, session_id, digest, expires_at)
    select s.organization_id, s.id, ${literal(`\\x${digest.toString('hex')}`)}, s.expires_at from cardea.sessions s where s.id = ${literal(sessionId)}`
}

/**
 * Uses a refresh token: of any number of uses at once, on any number of replicas, one gets `first`. `again` is what whoever
 * comes second gets, and is how a theft shows (RFC 9700, section 4.14.2).
 */
export async function useRefreshToken(
  tx: Transaction,
  digest: Buffer,
): Promise<{ readonly use: 'first' | 'again'; readonly sessionId: string } | undefined> {
  const used = await tx.$client.query<{ session_id: string }>(
    `update cardea.refresh_tokens set used_at = now()
     where digest = $1 and used_at is null and expires_at > now() returning session_id`,
    [digest],
  )
  const [first] = used.rows
  if (first) return { use: 'first', sessionId: first.session_id }
  const sessionId = await sessionOfRefreshToken(tx, digest)
  return sessionId === undefined ? undefined : { use: 'again', sessionId }
}

/** The session whose refresh token this is or was. */
export async function sessionOfRefreshToken(
  tx: Transaction,
  digest: Buffer,
): Promise<string | undefined> {
  const { rows } = await tx.$client.query<{ session_id: string }>(
    'select session_id from cardea.refresh_tokens where digest = $1 and expires_at > now()',
    [digest],
  )
  return rows[0]?.session_id
}
