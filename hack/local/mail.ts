import path from 'node:path'
import { startDaemon, untilReady } from './daemon.ts'
import { place } from './place.ts'
import type { Watcher } from './program.ts'

/** The captured mail of a local system. */
export interface Mail {
  /** Where mails are read: a page, and its HTTP API. */
  readonly url: string
  /** The variables that have the auth service send its mails there. */
  readonly settings: Readonly<Record<string, string>>
}

/**
 * Starts an SMTP server that keeps every mail in memory, to be read and sent nowhere.
 *
 * @throws with the end of its log when it does not come up.
 */
export async function startMail(
  ports: { readonly smtp: number; readonly http: number },
  watcher: Watcher,
): Promise<Mail> {
  const url = `http://127.0.0.1:${ports.http}`
  const daemon = startDaemon({
    name: 'mail',
    command: process.execPath,
    args: [path.join(import.meta.dirname, 'mailprogram.ts'), JSON.stringify(ports)],
    logFile: path.join(place.logs, 'mail.log'),
    keepAlive: true,
    onStart: (pid) => watcher.onStart('mail', pid),
    onExit: (how) => watcher.onExit('mail', how),
  })
  await untilReady(daemon, async () => (await fetch(`${url}/messages`)).ok, 30_000)
  const settings = {
    CARDEA_SMTP_URL: `smtp://127.0.0.1:${ports.smtp}`,
    CARDEA_MAIL_FROM: 'Cardea <no-reply@cardea.example>',
  }
  return { url, settings }
}
