import { readFileSync } from 'node:fs'
import type { MailBackend } from '../auth/mail/open.ts'
import { ConfigurationError } from '../config/environment.ts'
import type { SenderSetting, SmtpServerSetting } from '../config/smtp.ts'
import { type DatabaseLog, openPool } from '../db/pool.ts'

/** Milliseconds that one query of the delivery may take. */
const queryTimeout = 5000

interface MailConfig {
  readonly databaseUrl: string
  readonly publicUrl: string
  readonly smtp: {
    readonly server: SmtpServerSetting
    readonly sender: SenderSetting
    /** A file of certificates in PEM. */
    readonly caFile: string | undefined
  }
}

/**
 * What mail is delivered with. Its connections are few and its own: a queue of mails must not slow the checks.
 * @throws ConfigurationError when the file of certificates cannot be read
 */
export function openMailBackend(
  { databaseUrl, publicUrl, smtp }: MailConfig,
  log: DatabaseLog,
): MailBackend & { close(): Promise<void> } {
  const authorities = smtp.caFile === undefined ? undefined : readAuthorities(smtp.caFile)
  const pool = openPool({
    connectionString: databaseUrl,
    applicationName: 'cardea-auth-mail',
    log,
    max: 2,
    queryTimeout,
  })
  const { server, sender } = smtp
  return { pool, server, sender, authorities, publicUrl, close: () => pool.end() }
}

function readAuthorities(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const problem = `must name a readable file of certificates: ${(error as Error).message}`
    throw new ConfigurationError([{ variable: 'CARDEA_SMTP_CA_FILE', problem }])
  }
}
