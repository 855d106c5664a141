import type { PeopleBackend } from '../auth/openpeople.ts'
import type { KmsConfig } from '../config/kms.ts'
import type { PeopleConfig } from '../config/people.ts'
import { type DatabaseLog, openPool } from '../db/pool.ts'
import { openKeyring } from './kms.ts'
import { openMailBackend } from './mail.ts'
import { startHashingProcess } from './passwordhasherprocess.ts'

/** Milliseconds that one query may take: somebody waits for the page. */
const queryTimeout = 5000
const connections = 8
/** Nobody waits for a signing key to be opened. Milliseconds. */
const patience = { deadline: 10_000, attempt: 5000, failures: 2 } as const

interface PeopleSettings {
  readonly databaseUrl: string
  readonly people: PeopleConfig
  readonly kms: KmsConfig | undefined
}

/** What the services of people work with. Their connections are their own: a flood of sign-ins must not slow the checks. */
export function openPeopleBackend(
  { databaseUrl, people, kms }: PeopleSettings,
  log: DatabaseLog,
): PeopleBackend & { close(): Promise<void> } {
  const pool = openPool({
    connectionString: databaseUrl,
    applicationName: 'cardea-auth-people',
    log,
    max: connections,
    queryTimeout,
  })
  const { publicUrl, smtp, passwords } = people
  const mail = smtp && openMailBackend({ databaseUrl, publicUrl, smtp }, log)
  if (!mail) log.warn({}, 'CARDEA_SMTP_URL is not set: mails wait in their queue')
  if (!kms) log.info({}, 'CARDEA_KMS is not set: no access tokens are signed')
  const closing = [() => pool.end(), async () => mail?.close()]
  const { memory, iterations, queue, workers } = passwords
  return {
    ...people,
    pool,
    mail,
    hashing: {
      start: startHashingProcess,
      parameters: { memory, iterations, parallelism: 1 },
      queue,
      workers,
    },
    openKeyring(registry) {
      if (!kms) return undefined
      const keyring = openKeyring(kms, registry, patience)
      closing.push(() => keyring.close())
      // The signing keys are the installation's, and no namespace's.
      return keyring.of(null)
    },
    async close() {
      await Promise.all(closing.map((close) => close()))
    },
  }
}
