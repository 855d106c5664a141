import type { PeopleBackend } from '../auth/openpeople.ts'
import type { PeopleConfig } from '../config/people.ts'
import { type DatabaseLog, openPool } from '../db/pool.ts'

/** Milliseconds that one query may take: somebody waits for the page. */
const queryTimeout = 5000
const connections = 8

interface PeopleSettings {
  readonly databaseUrl: string
  readonly people: PeopleConfig
}

/** What the services of people work with. Their connections are their own: a flood of sign-ins must not slow the checks. */
export function openPeopleBackend(
  { databaseUrl, people }: PeopleSettings,
  log: DatabaseLog,
): PeopleBackend & { close(): Promise<void> } {
  const pool = openPool({
    connectionString: databaseUrl,
    applicationName: 'cardea-auth-people',
    log,
    max: connections,
    queryTimeout,
  })
  return { ...people, pool, close: () => pool.end() }
}
