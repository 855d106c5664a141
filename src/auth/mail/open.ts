import type { Pool } from 'pg'
import type { Registry } from 'prom-client'
import type { AuthLog } from '../log.ts'
import type { CodeMinter } from './codeminter.ts'
import { MailDelivery } from './delivery.ts'
import { Smtp } from './smtp.ts'
import type { Sender, SmtpServer } from './smtpserver.ts'
import { MailStatistics } from './statistics.ts'
import { MailWorker } from './worker.ts'

/** What mail is delivered with. */
export interface MailBackend {
  /** Of its own: the delivery must not take connections from the checks. */
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

const concurrency = 4
/** Milliseconds. */
const deadline = 20_000
const interval = 2000
const backlogInterval = 10_000
/** Seconds: the deadline, and what the two transactions of a delivery may take. */
const lease = 60

/**
 * The delivery of mail, put together from its parts.
 * @param codes mints the codes that people sign in with; undefined: none are sent
 */
export function openMail(
  backend: MailBackend,
  options: {
    readonly codes: CodeMinter | undefined
    readonly registry: Registry
    readonly log: AuthLog
    /** Milliseconds that a delivery under way may still take when the service ends. */
    readonly patience?: number
  },
): Mail {
  const { pool, server, sender, authorities, publicUrl } = backend
  const { codes, registry, log, patience = 5000 } = options
  const host = new URL(publicUrl).hostname
  const smtp = new Smtp({ server, sender, authorities, host, connections: concurrency, deadline })
  const delivery = new MailDelivery({ pool, smtp, codes, publicUrl })
  const statistics = new MailStatistics(registry)
  const bounds = { concurrency, lease, interval, backlogInterval }
  const worker = new MailWorker({ db: pool, delivery, statistics, log, ...bounds })
  return {
    wake: () => worker.wake(),
    start: () => worker.start(),
    async stop(): Promise<void> {
      const impatient = setTimeout(() => smtp.close(), patience)
      await worker.stop()
      clearTimeout(impatient)
      smtp.close()
    },
  }
}
