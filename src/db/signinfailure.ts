import type { AttemptCounter, CountedAttempt } from '../domain/lockout.ts'
import type { Transaction } from './transaction.ts'

/**
 * Raises a counter before the attempt that it counts is judged, so that parallel attempts on any number of replicas cannot be
 * more than the limit. The attempt that reaches the limit locks it. A locked counter stays as it is: who tries again and again
 * does not lock it for longer. What is older than the lock-out's duration counts no more.
 * @param duration seconds
 */
export async function countAttempt(
  tx: Transaction,
  organizationId: string,
  counter: AttemptCounter,
  duration: number,
): Promise<CountedAttempt> {
  const { rows } = await tx.$client.query<{ failures: number; locked_for: number | null }>(
    `insert into cardea.sign_in_failures as f (organization_id, kind, subject, failures, locked_until)
     values ($1, $2, $3, 1, case when $4 <= 1 then now() + make_interval(secs => $5) end)
     on conflict (organization_id, kind, subject) do update set (failures, failed_at, locked_until) = (
       select case when was.locked then f.failures else n.failures end,
         case when was.locked then f.failed_at else now() end,
         case when was.locked then f.locked_until when n.failures >= $4 then now() + make_interval(secs => $5) end
       from (select coalesce(f.locked_until > now(), false) as locked) was,
         lateral (select case when f.locked_until is not null or f.failed_at < now() - make_interval(secs => $5) then 1
           else f.failures + 1 end as failures) n)
     returning new.failures, case when old.locked_until > now()
       then ceil(extract(epoch from old.locked_until - now()))::integer end as locked_for`,
    [organizationId, counter.kind, counter.subject, counter.limit, duration],
  )
  const [row] = rows
  if (!row) throw new Error('the attempt was not counted')
  return { counter, failures: row.failures, lockedFor: row.locked_for ?? undefined }
}

/** Takes one attempt back, which was right, or was not judged: it was no failure, and locks nothing. */
export async function takeBackAttempt(tx: Transaction, counter: AttemptCounter): Promise<void> {
  await tx.$client.query(
    `update cardea.sign_in_failures set failures = greatest(failures - 1, 0), locked_until = null
     where kind = $1 and subject = $2 and failures <= $3`,
    [counter.kind, counter.subject, counter.limit],
  )
}

/** Forgets the failures of an account or a device, whose owner has shown up. */
export async function forgetFailures(tx: Transaction, counter: AttemptCounter): Promise<void> {
  await tx.$client.query('delete from cardea.sign_in_failures where kind = $1 and subject = $2', [
    counter.kind,
    counter.subject,
  ])
}

/** Writes a counter as it is, for whoever must take as long as somebody who writes something. */
export async function touchFailures(tx: Transaction, counter: AttemptCounter): Promise<void> {
  await tx.$client.query(
    'update cardea.sign_in_failures set failed_at = failed_at where kind = $1 and subject = $2',
    [counter.kind, counter.subject],
  )
}
