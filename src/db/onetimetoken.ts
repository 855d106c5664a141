import type { Transaction } from './transaction.ts'

export type TokenPurpose =
  | 'registration'
  | 'invitation'
  | 'email_verification'
  | 'password_reset'
  | 'email_code'

/** What a token is for; of its text there is only a digest. */
export interface OneTimeToken {
  readonly organizationId: string
  readonly purpose: TokenPurpose
  /** The user, invitation or registration. */
  readonly subjectId: string
  /** SHA-256, 32 bytes. */
  readonly digest: Buffer
  /** Seconds. */
  readonly lifetime: number
}

/** Writes a token down; it takes the place of every other of its subject and purpose: the newest wins. */
export async function insertOneTimeToken(tx: Transaction, token: OneTimeToken): Promise<void> {
  const { organizationId, purpose, subjectId, digest, lifetime } = token
  await retireOneTimeTokens(tx, subjectId, purpose)
  await tx.$client.query(
    `insert into cardea.one_time_tokens (organization_id, purpose, subject_id, digest, expires_at)
     values ($1, $2, $3, $4, now() + make_interval(secs => $5))`,
    [organizationId, purpose, subjectId, digest, lifetime],
  )
}

/** Makes the tokens of a subject useless. */
export async function retireOneTimeTokens(
  tx: Transaction,
  subjectId: string,
  purpose: TokenPurpose,
): Promise<void> {
  await tx.$client.query(
    'update cardea.one_time_tokens set used_at = now() where subject_id = $1 and purpose = $2 and used_at is null',
    [subjectId, purpose],
  )
}

/** Forgets a token that reached nobody: it is not counted as one that somebody asked for. */
export async function forgetOneTimeToken(tx: Transaction, digest: Buffer): Promise<void> {
  await tx.$client.query('delete from cardea.one_time_tokens where digest = $1', [digest])
}

/**
 * Uses a token: of any number of uses at once, on any number of replicas, one gets an answer.
 * @returns the id of what it is for; undefined when there is no such token, when it was used, or when it expired
 */
export async function useOneTimeToken(
  tx: Transaction,
  purpose: TokenPurpose,
  digest: Buffer,
): Promise<string | undefined> {
  const { rows } = await tx.$client.query<{ subject_id: string }>(
    `update cardea.one_time_tokens set used_at = now()
     where digest = $1 and purpose = $2 and used_at is null and expires_at > now() returning subject_id`,
    [digest, purpose],
  )
  return rows[0]?.subject_id
}

/** Looks at a token without using it, for a page that asks before it acts. */
export async function findOneTimeToken(
  tx: Transaction,
  purpose: TokenPurpose,
  digest: Buffer,
): Promise<string | undefined> {
  const { rows } = await tx.$client.query<{ subject_id: string }>(
    `select subject_id from cardea.one_time_tokens
     where digest = $1 and purpose = $2 and used_at is null and expires_at > now()`,
    [digest, purpose],
  )
  return rows[0]?.subject_id
}

/** How many tokens of a subject were made in the last seconds, used or not. */
export async function countOneTimeTokens(
  tx: Transaction,
  subjectId: string,
  purpose: TokenPurpose,
  seconds: number,
): Promise<number> {
  const { rows } = await tx.$client.query<{ n: number }>(
    `select count(*)::integer as n from cardea.one_time_tokens
     where subject_id = $1 and purpose = $2 and created_at > now() - make_interval(secs => $3)`,
    [subjectId, purpose, seconds],
  )
  return rows[0]?.n ?? 0
}

/** A token that something guessable is tried with. */
export interface TriedToken {
  readonly id: string
  readonly purpose: TokenPurpose
  readonly subjectId: string
}

/**
 * Counts a try with a token before it is judged, so that parallel ones on any number of replicas cannot be more than there are.
 * @returns undefined when there is no such token of one of these purposes, or none that is left to try
 */
export async function tryOneTimeToken(
  tx: Transaction,
  purposes: readonly TokenPurpose[],
  digest: Buffer,
  tries: number,
): Promise<TriedToken | undefined> {
  const { rows } = await tx.$client.query<TriedToken>(
    `update cardea.one_time_tokens set attempts = attempts + 1
     where digest = $1 and purpose = any ($2) and used_at is null and expires_at > now() and attempts < $3
     returning id, purpose, subject_id as "subjectId"`,
    [digest, purposes, tries],
  )
  return rows[0]
}
