import { randomUUID } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { callbackify } from 'node:util'
import PostalMime from 'postal-mime'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'

/** A mail that was handed over, as its reader would see it. */
export interface CapturedMail {
  readonly id: string
  /** ISO 8601. */
  readonly receivedAt: string
  readonly from: string
  readonly to: readonly string[]
  readonly subject: string
  readonly text: string
  readonly html: string
  /** The addresses of the links in its text, in their order. */
  readonly links: readonly string[]
  /** The names in lower case. */
  readonly headers: Readonly<Record<string, string>>
}

/** Of the eldest beyond this, nothing is kept. */
const most = 500
const largestMail = 1_048_576

/** Mails in memory, the newest first. */
export class Mailbox {
  #messages: readonly CapturedMail[]
  readonly #onChange: (messages: readonly CapturedMail[]) => void

  /** @param onChange told of what there is after each change */
  constructor(
    messages: readonly CapturedMail[] = [],
    onChange: (messages: readonly CapturedMail[]) => void = () => {},
  ) {
    this.#messages = messages
    this.#onChange = onChange
  }

  get messages(): readonly CapturedMail[] {
    return this.#messages
  }

  find(id: string): CapturedMail | undefined {
    return this.#messages.find((message) => message.id === id)
  }

  clear(): void {
    this.#set([])
  }

  async add(raw: Uint8Array, envelope: { from: string; to: readonly string[] }): Promise<void> {
    const mail = await PostalMime.parse(raw)
    const text = mail.text ?? ''
    const captured = {
      id: randomUUID(),
      receivedAt: new Date().toISOString(),
      ...envelope,
      subject: mail.subject ?? '',
      text,
      html: mail.html ?? '',
      links: [...new Set(text.match(/https?:\/\/[^\s<>"]*[^\s<>".,;:!?)]/g))],
      headers: Object.fromEntries(mail.headers.map(({ key, value }) => [key, value])),
    }
    this.#set([captured, ...this.#messages].slice(0, most))
  }

  #set(messages: readonly CapturedMail[]): void {
    this.#messages = messages
    this.#onChange(messages)
  }
}

/**
 * An SMTP server that puts everything into a mailbox. It delivers nothing anywhere.
 * @param options how it is secured, and what it refuses; without any it takes everything, in plain text
 */
export function captureServer(mailbox: Mailbox, options: SMTPServerOptions = {}): SMTPServer {
  return new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    size: largestMail,
    logger: false,
    disableReverseLookup: true,
    onData(stream, { envelope }, done) {
      const from = envelope.mailFrom === false ? '' : envelope.mailFrom.address
      const to = envelope.rcptTo.map(({ address }) => address)
      const add = async (): Promise<void> => mailbox.add(await buffer(stream), { from, to })
      callbackify(add)(done)
    },
    ...options,
  })
}
