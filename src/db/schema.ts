import type { Pool } from 'pg'
import { MigrationRefused, migrations } from './migrate.ts'
import type { DatabaseLog } from './pool.ts'

/** Milliseconds between two looks, and between two complaints about the same thing. */
const interval = 1000
const complaint = 10_000

/**
 * Waits until the database answers and has this program's schema; says what it waits for.
 * @throws MigrationRefused when the database is newer than the program; the signal's reason when it is aborted
 */
export async function waitForSchema(
  pool: Pick<Pool, 'query'>,
  log: DatabaseLog,
  signal: AbortSignal,
): Promise<void> {
  const wanted = (await migrations()).length
  let complained: string | undefined
  let complainedAt = Number.NEGATIVE_INFINITY
  for (;;) {
    signal.throwIfAborted()
    const found = await schemaVersion(pool).catch((error: NodeJS.ErrnoException) => error)
    if (found === wanted) return
    if (typeof found === 'number' && found > wanted) {
      throw new MigrationRefused(
        `the database is at schema version ${found}, this program knows ${wanted}: run a newer Cardea`,
      )
    }
    const [reason, detail] = describe(found, wanted)
    if (reason !== complained || performance.now() - complainedAt >= complaint) {
      complained = reason
      complainedAt = performance.now()
      log.warn(detail, reason)
    }
    await new Promise<void>((resolve) => {
      setTimeout(resolve, interval)
    })
  }
}

function describe(
  found: number | NodeJS.ErrnoException,
  wanted: number,
): readonly [reason: string, detail: object] {
  if (typeof found === 'number') {
    const detail = { schemaVersion: found, wanted }
    return ['waiting for the database to be migrated: run cardea migrate', detail]
  }
  return ['waiting for PostgreSQL to answer', { error: found.message, code: found.code }]
}

/** The number of migrations that were applied; 0 when there are none. */
async function schemaVersion(pool: Pick<Pool, 'query'>): Promise<number> {
  try {
    const { rows } = await pool.query<{ version: number | null }>(
      'select max(version) as version from cardea.schema_migrations',
    )
    return rows[0]?.version ?? 0
  } catch (error) {
    // The table, the schema, or the right to see it: the first migration makes them.
    if (['42P01', '3F000', '42501'].includes((error as { code?: string }).code ?? '')) return 0
    throw error
  }
}
