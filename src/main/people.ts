import type { PeopleBackend } from '../auth/openpeople.ts'
import type { PeopleConfig } from '../config/people.ts'
import { type DatabaseLog, openPool } from '../db/pool.ts'
import { openMailBackend } from './mail.ts'

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
  const { publicUrl, smtp } = people
  const mail = smtp && openMailBackend({ databaseUrl, publicUrl, smtp }, log)
  if (!mail) log.warn({}, 'CARDEA_SMTP_URL is not set: mails wait in their queue')
  return {
    ...people,
    pool,
    mail,
    async close() {
      await Promise.all([pool.end(), mail?.close()])
    },
  }
}
