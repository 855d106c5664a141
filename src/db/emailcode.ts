import { literal, type Reading } from './statement.ts'
import type { Transaction } from './transaction.ts'

/** What a browser keeps while a code is on its way to somebody. The code itself is a one-time token with this as its subject. */
export interface NewChallenge {
  readonly organizationId: string
  readonly id: string
  /** The user, or what stands for an address without one. */
  readonly subjectId: string
  /** As it was typed, canonical, with an account or without. */
  readonly email: string
  /** The known device from which it is asked for; undefined: any other. */
  readonly deviceId: string | undefined
  /** SHA-256 of what the browser keeps, 32 bytes. */
  readonly digest: Buffer
  /** Seconds. */
  readonly lifetime: number
}

/**
 * Writes a challenge down. Those of other browsers stay good: who asks for a code for somebody else takes none from them.
 * @param most so many in `window` seconds, however many are asked for at once; those of a known device are counted apart, so
 *   that nobody else uses them up
 * @returns whether there were fewer
 */
export async function insertChallenge(
  tx: Transaction,
  challenge: NewChallenge,
  { most, window }: { readonly most: number; readonly window: number },
): Promise<boolean> {
  const { organizationId, id, subjectId, email, deviceId, digest, lifetime } = challenge
  await tx.$client.query(`select pg_advisory_xact_lock(hashtextextended('email_code ' || $1, 0))`, [
    subjectId,
  ])
  const { rowCount } = await tx.$client.query(
    `insert into cardea.one_time_tokens (organization_id, id, purpose, subject_id, digest, expires_at, email, device_id)
     select $1, $2, 'email_code', $3, $4, now() + make_interval(secs => $5), $8, $9::uuid
     where (select count(*) from cardea.one_time_tokens
       where subject_id = $3 and purpose = 'email_code' and created_at > now() - make_interval(secs => $7)
         and device_id is not distinct from $9::uuid) < $6`,
    [organizationId, id, subjectId, digest, lifetime, most, window, email, deviceId ?? null],
  )
  return rowCount === 1
}

/**
 * Counts a try before it is judged, so that parallel ones on any number of replicas cannot be more than there are.
 * @returns undefined when there is no such challenge, or none that is left to try
 */
export async function tryChallenge(
  tx: Transaction,
  digest: Buffer,
  tries: number,
): Promise<
  { readonly id: string; readonly subjectId: string; readonly email: string } | undefined
> {
  const { rows } = await tx.$client.query<{ id: string; subjectId: string; email: string }>(
    `update cardea.one_time_tokens set attempts = attempts + 1
     where digest = $1 and purpose = 'email_code' and email is not null and used_at is null and expires_at > now() and attempts < $2
     returning id, subject_id as "subjectId", email`,
    [digest, tries],
  )
  return rows[0]
}

/** Takes back a try that was not judged. */
export async function takeBackTry(tx: Transaction, id: string): Promise<void> {
  await tx.$client.query(
    'update cardea.one_time_tokens set attempts = greatest(attempts - 1, 0) where id = $1',
    [id],
  )
}

/** A challenge that still waits for its code. */
export interface WaitingChallenge {
  /** Of what the browser keeps. */
  readonly digest: Buffer
  /** For how long it waits. */
  readonly seconds: number
  /** Whether it is of somebody who may sign in. */
  readonly ofAccount: boolean
}

export function waitingChallenge(id: string): Reading<WaitingChallenge | undefined> {
  return {
    text: `select t.digest, greatest(1, floor(extract(epoch from t.expires_at - now())))::integer as seconds,
        exists (select from cardea.users u where u.id = t.subject_id and u.suspended_at is null) as "ofAccount"
      from cardea.one_time_tokens t
      where t.id = ${literal(id)} and t.purpose = 'email_code' and t.used_at is null and t.expires_at > now()`,
    decode: ([row]) => row as WaitingChallenge | undefined,
  }
}

/** What is stored of the last code that was sent for a challenge. */
export async function codeOfChallenge(tx: Transaction, id: string): Promise<Buffer | undefined> {
  const { rows } = await tx.$client.query<{ digest: Buffer }>(
    `select digest from cardea.one_time_tokens
     where subject_id = $1 and purpose = 'email_code' and used_at is null and expires_at > now()`,
    [id],
  )
  return rows[0]?.digest
}

/** Uses a challenge, with its code: of any number of uses at once, one gets true. */
export async function useChallenge(tx: Transaction, id: string): Promise<boolean> {
  const { rows } = await tx.$client.query<{ id: string }>(
    `update cardea.one_time_tokens set used_at = now()
     where (id = $1 or subject_id = $1) and purpose = 'email_code' and used_at is null returning id`,
    [id],
  )
  return rows.some((row) => row.id === id)
}
