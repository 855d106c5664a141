import { randomUUIDv7 } from 'node:crypto'
import type pg from 'pg'
import { isUuid } from '../domain/uuid.ts'

/** A new id for a record, ordered by time. */
export function newId(): string {
  return randomUUIDv7()
}

/**
 * The id that a lost record comes back under: the one that its resource's status shows, or a new one when that is not an
 * id or is a record's already. A status can be written by others than the operator.
 */
export async function reclaimId(pool: pg.Pool, shown: string | undefined): Promise<string> {
  if (shown === undefined || !isUuid(shown)) return newId()
  const text = 'select case when cardea.is_record($1::uuid) then uuidv7() else $1::uuid end as id'
  return oneId(pool, text, [shown])
}

async function oneId(pool: pg.Pool, text: string, values: readonly string[]): Promise<string> {
  const { rows } = await pool.query<{ id: string }>(text, [...values])
  const [row] = rows
  if (!row) throw new Error(`${text} returned no row`)
  return row.id
}
