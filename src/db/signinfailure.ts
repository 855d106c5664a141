import type { AttemptCounter, CountedAttempt } from '../domain/lockout.ts'
import { integer, literal, type Reading } from './statement.ts'

/**
 * Raises counters before the attempt that they count is judged, so that parallel attempts on any number of replicas cannot be
 * more than the limit. The attempt that reaches the limit locks. A locked counter stays as it is: who tries again and again
 * does not lock it for longer. What is older than its duration counts no more.
 * @param counters that of an address before that of an account, which is left alone when the address is locked; they are locked
 *   in this order, so that no two wait for each other in a circle
 */
export function countingAttempt(
  organizationId: string,
  counters: readonly AttemptCounter[],
): Reading<readonly CountedAttempt[]> {
  const tuples = counters.map(({ kind, subject, limit, duration }, place) => {
    const bounds = `${integer(limit)}, ${integer(duration)}, ${integer(place)}`
    return `(${literal(kind)}, ${bytes(subject)}::bytea, ${bounds})`
  })
  return {
    text: `with c (kind, subject, most, seconds, place) as materialized (values ${tuples.join(', ')})
     insert into cardea.sign_in_failures as f (organization_id, kind, subject, failures, locked_until)
     select ${literal(organizationId)}::uuid, c.kind, c.subject, 1,
       case when c.most <= 1 then now() + make_interval(secs => c.seconds) end
     from c
     where c.kind = 'address' or not exists (
       select from cardea.sign_in_failures l
       where l.kind = 'address' and l.subject in (select a.subject from c a) and l.locked_until > now())
     order by c.place
     on conflict (organization_id, kind, subject) do update set (failures, failed_at, locked_until) = (
       select case when was.locked then f.failures else n.failures end,
         case when was.locked then f.failed_at else now() end,
         case when was.locked then f.locked_until
           when n.failures >= c.most then now() + make_interval(secs => c.seconds) end
       from c,
         lateral (select coalesce(f.locked_until > now(), false) as locked) was,
         lateral (select case when f.locked_until is not null or f.failed_at < now() - make_interval(secs => c.seconds) then 1
           else f.failures + 1 end as failures) n
       where c.kind = f.kind)
     returning new.kind, new.failures, case when old.locked_until > now()
       then ceil(extract(epoch from old.locked_until - now()))::integer end as locked_for`,
    decode: (rows) =>
      counters.flatMap((counter) => {
        const row = rows.find(({ kind }) => kind === counter.kind)
        if (!row) return []
        const lockedFor = (row['locked_for'] as number | null) ?? undefined
        return [{ counter, failures: row['failures'] as number, lockedFor }]
      }),
  }
}

/** Takes one attempt back, which was right, or was not judged: it was no failure, and locks nothing. */
export function takingBackAttempt(counter: AttemptCounter): string {
  return `update cardea.sign_in_failures set failures = greatest(failures - 1, 0), locked_until = null
    where ${isOf(counter)} and failures <= ${integer(counter.limit)}`
}

/** Forgets the failures of an account, those by code too, or of a device: its owner has shown up. */
export function forgettingFailures(counter: AttemptCounter): string {
  const { kind, subject } = counter
  const kinds = kind === 'account' ? [kind, 'code'] : [kind]
  return `delete from cardea.sign_in_failures where kind in (${kinds.map(literal).join(', ')}) and subject = ${bytes(subject)}`
}

/** Writes a counter as it is, for whoever must take as long as somebody who writes something. */
export function touchingFailures(counter: AttemptCounter): string {
  return `update cardea.sign_in_failures set failed_at = failed_at where ${isOf(counter)}`
}

function isOf({ kind, subject }: AttemptCounter): string {
  return `kind = ${literal(kind)} and subject = ${bytes(subject)}`
}

function bytes(value: Buffer): string {
  return literal(`\\x${value.toString('hex')}`)
}
