import type { Pool } from 'pg'

/** Rows that go in one transaction: whoever writes meanwhile waits for no more than these. */
const most = 2000

/**
 * Forgets some of what is over and of no use to anybody: sessions, tokens, invitations, registrations, counters and delivered mails.
 * @param days for which ended sessions and invitations, and delivered mails, stay to be looked at
 * @returns how many rows went; 0 when nothing is left, or while another replica is at it
 */
export async function prunePeople(pool: Pool, days: number): Promise<number> {
  const { rows } = await pool.query<{ dropped: string }>(
    'select cardea.prune_people(make_interval(days => $1), $2) as dropped',
    [days, most],
  )
  return Number(rows[0]?.dropped)
}
