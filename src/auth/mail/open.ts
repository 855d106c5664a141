import type { Pool } from 'pg'
import type { Sender, SmtpServer } from './smtpserver.ts'

/** What mail is delivered with. */
export interface MailBackend {
  readonly pool: Pool
  readonly server: SmtpServer
  readonly sender: Sender
  /** Certificates in PEM that the server's is checked with; undefined: those of the system. */
  readonly authorities: string | undefined
  /** Where people reach the auth service, without a slash at the end. */
  readonly publicUrl: string
}

/** The delivery of mail, as the rest of the service sees it. */
export interface Mail {
  /** Has the queue looked at now, after a mail was put into it. */
  wake(): void
  start(): void
  /** Lets what is under way come to its end. What waits is delivered by others, or after the next start. */
  stop(): Promise<void>
}
