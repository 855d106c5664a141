import { literal, type Reading } from './statement.ts'
import type { Transaction } from './transaction.ts'

/** The hashes of a user's last passwords, the current one first. */
export async function lastPasswords(
  tx: Transaction,
  userId: string,
  count: number,
): Promise<readonly string[]> {
  const { rows } = await tx.$client.query<{ hash: string }>(
    'select hash from cardea.passwords where user_id = $1 order by replaced_at desc nulls first, id desc limit $2',
    [userId, count],
  )
  return rows.map(({ hash }) => hash)
}

/** Whether a password is still the current one of its user, whose row the transaction holds. */
export function isCurrentPassword(id: string): Reading<boolean> {
  return {
    text: `select from cardea.passwords where id = ${literal(id)} and replaced_at is null`,
    decode: (rows) => rows.length === 1,
  }
}

/** Puts another hash of the same password in the place of one that was made with less. */
export function rehashingPassword(id: string, hash: string): string {
  return `update cardea.passwords set hash = ${literal(hash)} where id = ${literal(id)} and replaced_at is null`
}

/**
 * Has those who ask for one reset wait for each other until the commit, and for its mail where that is just being written: then it can
 * be counted how many there were.
 * @param email canonical, whether or not there is such an account
 */
export function holdingReset(
  organizationId: string,
  email: string,
  subjectId: string,
): readonly string[] {
  const whose = literal(`password_reset ${organizationId} ${email}`)
  return [
    `select pg_advisory_xact_lock(hashtextextended(${whose}, 0))`,
    `select from cardea.mails where state = 'queued' and template = 'password_reset' and subject_id = ${literal(subjectId)} for update`,
  ]
}

/**
 * Sets a user's password. The transaction holds the user's row.
 * @param keep how many of them are kept, this one included: those that may not come again
 */
export async function setPassword(
  tx: Transaction,
  password: { readonly organizationId: string; readonly userId: string; readonly hash: string },
  keep: number,
): Promise<void> {
  const { organizationId, userId, hash } = password
  await tx.$client.query(
    'update cardea.passwords set replaced_at = clock_timestamp() where user_id = $1 and replaced_at is null',
    [userId],
  )
  await tx.$client.query(
    'insert into cardea.passwords (organization_id, user_id, hash) values ($1, $2, $3)',
    [organizationId, userId, hash],
  )
  await tx.$client.query(
    `delete from cardea.passwords where id in (
       select id from cardea.passwords where user_id = $1 order by replaced_at desc nulls first, id desc offset $2)`,
    [userId, Math.max(keep, 1)],
  )
}
