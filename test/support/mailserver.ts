import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SMTPServerOptions } from 'smtp-server'
import { expect } from 'vitest'
import { type CapturedMail, captureServer, Mailbox } from '../../hack/local/mailbox.ts'

/** An SMTP server with its mailbox, as a test controls it. */
export interface MailServer {
  readonly port: number
  readonly mailbox: Mailbox
  /** Waits for a mail to an address; the newest of several. */
  untilMail(to: string, subject?: RegExp): Promise<CapturedMail>
  stop(): Promise<void>
}

/** @param options of the server; a `port` besides, where it must be a certain one */
export async function startMailServer(
  options: SMTPServerOptions & { readonly port?: number } = {},
): Promise<MailServer> {
  const { port = 0, ...rest } = options
  const mailbox = new Mailbox()
  const server = captureServer(mailbox, { closeTimeout: 200, ...rest })
  // What a client does wrong is the test's to see, at the client.
  server.on('error', () => {})
  server.listen(port, '127.0.0.1')
  await once(server.server, 'listening')
  return {
    port: (server.server.address() as AddressInfo).port,
    mailbox,
    async untilMail(to, subject = /./) {
      const deadline = performance.now() + 15_000
      for (;;) {
        const found = mailbox.messages.find(
          (message) => message.to.includes(to) && subject.test(message.subject),
        )
        if (found) return found
        expect(performance.now(), `a mail to ${to} in time`).toBeLessThan(deadline)
        await sleep(20)
      }
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
      }),
  }
}

/** The token in the link of a mail. */
export function tokenOf(mail: CapturedMail): string {
  const link = mail.links.find((one) => one.includes('?token='))
  const token = new URL(link ?? 'none:').searchParams.get('token')
  expect(token, `a token in “${mail.subject}”`).toBeTruthy()
  return token ?? ''
}
