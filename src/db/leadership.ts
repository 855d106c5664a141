import type pg from 'pg'
import type { Fence } from './transaction.ts'

/**
 * Takes the leadership of an installation in the database: from its commit on, no transaction of an earlier leader
 * commits. Waits for those that are under way; `transaction_timeout` ends those whose operator froze.
 * @param holder who leads now, for people
 */
export async function takeLeadership(
  pool: pg.Pool,
  installation: string,
  holder: string,
): Promise<Fence> {
  const { rows } = await pool.query<{ epoch: string }>(
    'select cardea.take_leadership($1, $2)::text as epoch',
    [installation, holder],
  )
  const [row] = rows
  if (!row) throw new Error('taking the leadership returned no epoch')
  return { installation, epoch: row.epoch }
}
