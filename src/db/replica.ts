import type { Queryable } from './credentialindex.ts'

/** For how long a replica that was not heard of counts as alive, in milliseconds. */
const alive = 10_000

/**
 * Says that this replica is alive and forgets those that have not been for a minute.
 * @returns how many are alive, this one included
 */
export async function reportReplica(db: Queryable, id: string): Promise<number> {
  const { rows } = await db.query<{ alive: number }>(
    `with reported as (
      insert into cardea.auth_replicas (id) values ($1)
      on conflict (id) do update set seen_at = clock_timestamp()
    ), forgotten as (
      delete from cardea.auth_replicas where id <> $1 and seen_at < clock_timestamp() - interval '1 minute'
    )
    select count(*)::int + 1 as alive from cardea.auth_replicas
    where id <> $1 and seen_at > clock_timestamp() - $2 * interval '1 millisecond'`,
    [id, alive],
  )
  return rows[0]?.alive ?? 1
}

/** Takes this replica out, so that the others' share of a rate limit grows at once. */
export async function forgetReplica(db: Queryable, id: string): Promise<void> {
  await db.query('delete from cardea.auth_replicas where id = $1', [id])
}
