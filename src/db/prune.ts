import type { Pool } from 'pg'

/**
 * Forgets what is over and of no use to anybody: sessions, tokens, invitations, registrations, counters and delivered mails.
 * @param days for which ended sessions and invitations, and delivered mails, stay to be looked at
 */
export async function prunePeople(pool: Pool, days: number): Promise<void> {
  await pool.query('select cardea.prune_people(make_interval(days => $1))', [days])
}
