import type { Queryable } from './credentialindex.ts'

/**
 * Says that this replica is alive.
 * @returns how many were heard of in the last ten seconds, this one included
 */
export async function reportReplica(db: Queryable, id: string): Promise<number> {
  const { rows } = await db.query<{ alive: number }>('select cardea.report_replica($1) as alive', [
    id,
  ])
  return rows[0]?.alive ?? 1
}

/** Takes this replica out, so that the others' share of a rate limit grows at once. */
export async function forgetReplica(db: Queryable, id: string): Promise<void> {
  await db.query('select cardea.forget_replica($1)', [id])
}
