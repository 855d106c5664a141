import type { Queryable } from './credentialindex.ts'

/**
 * Writes down when sessions were last seen. One that is over, or was seen later already, is passed over.
 * @param entries sessions, and seconds since the epoch
 */
export async function recordSessionActivity(
  db: Queryable,
  entries: readonly (readonly [id: string, seconds: number])[],
): Promise<void> {
  await db.query('select cardea.record_session_activity($1::jsonb)', [JSON.stringify(entries)])
}
