import { randomBytes } from 'node:crypto'
import { isIP } from 'node:net'
import { createTransport, type NodemailerError, type Transporter } from 'nodemailer'
import type { SetLetter } from '../../web/mail/letter.ts'
import type { Sender, SmtpServer } from './smtpserver.ts'

/** How a delivery ended. The reason is for the operator: it holds nothing of what the mail says. */
export type Delivery =
  | { readonly outcome: 'sent' }
  /** The server did not take it now, and may later. */
  | { readonly outcome: 'deferred'; readonly reason: string }
  /** The server does not take it, and never will. */
  | { readonly outcome: 'refused'; readonly reason: string }
  /** The server was not reached, or takes nothing from us: it is not about this mail. */
  | { readonly outcome: 'unreachable'; readonly reason: string }

export interface SmtpOptions {
  readonly server: SmtpServer
  readonly sender: Sender
  /** Certificates in PEM that the server's is checked with; undefined: those of the system. */
  readonly authorities: string | undefined
  /** How we name ourselves to the server: a host's name or address. */
  readonly host: string
  /** Connections at most. */
  readonly connections: number
  /** Milliseconds that a delivery may take, the connection included. */
  readonly deadline: number
}

/** Hands mails over to one SMTP server, on a few connections that stay open. */
export class Smtp {
  readonly #options: SmtpOptions
  readonly #transporter: Transporter

  constructor(options: SmtpOptions) {
    this.#options = options
    const { server, authorities, deadline, connections } = options
    this.#transporter = createTransport({
      pool: true,
      maxConnections: connections,
      // What failed comes again from the queue, with a new token.
      maxRequeues: 0,
      host: server.host,
      port: server.port,
      secure: server.tls === 'implicit',
      requireTLS: server.tls === 'starttls',
      ignoreTLS: server.tls === 'off',
      ...(server.login && {
        auth: { user: server.login.user, pass: server.login.password },
        // Where the server does not offer a login, somebody may have taken the offer away.
        forceAuth: true,
      }),
      tls: {
        minVersion: 'TLSv1.2',
        rejectUnauthorized: true,
        ...(authorities !== undefined && { ca: authorities }),
      },
      name: isIP(options.host) === 0 ? options.host : `[${options.host}]`,
      connectionTimeout: deadline,
      greetingTimeout: deadline,
      socketTimeout: deadline,
      dnsTimeout: deadline,
      // Servers end idle connections without a word: ours are given up before.
      idleTimeout: 20_000,
      disableFileAccess: true,
      disableUrlAccess: true,
      maxRecipients: 1,
      logger: false,
    })
  }

  /**
   * Sends a letter to one address. Never rejects.
   * @param id of the mail; each attempt has a Message-ID of its own, because a receiver would drop the second
   */
  async send(id: string, recipient: string, letter: SetLetter): Promise<Delivery> {
    const { sender, deadline } = this.#options
    // Addresses are canonical where they come in; one that is not must not become a command to the server.
    if (!isPlainAddress(recipient)) return { outcome: 'refused', reason: 'no address' }
    try {
      await this.#transporter.sendMail({
        from: { name: sender.name, address: sender.address },
        to: { name: '', address: recipient },
        envelope: { from: sender.address, to: recipient },
        subject: letter.subject,
        text: letter.text,
        html: letter.html,
        messageId: `<${id}.${randomBytes(8).toString('hex')}@${domainOf(sender.address)}>`,
        // RFC 3834, section 5: nobody's absence note need answer it.
        headers: { 'Auto-Submitted': 'auto-generated' },
        disableFileAccess: true,
        disableUrlAccess: true,
        signal: AbortSignal.timeout(deadline),
      })
      return { outcome: 'sent' }
    } catch (error) {
      return deliveryOf(error as NodemailerError)
    }
  }

  /** Ends all connections; what is under way on them fails. */
  close(): void {
    this.#transporter.close({ force: true })
  }
}

/**
 * What an error says about the mail. RFC 5321, section 4.2.1: 5yz is for good, 4yz for now. A sender that is not taken, a login
 * that is refused, TLS that is not there are for whoever runs this to put right, and then the mail can go.
 */
function deliveryOf(error: NodemailerError): Delivery {
  const reason = reasonOf(error)
  const { code, command, responseCode, permanent } = error
  const aboutMail = code === 'EMESSAGE' || (code === 'EENVELOPE' && command !== 'MAIL FROM')
  // RFC 5321, section 3.8: with 421 the server says of itself that it is going.
  if (!aboutMail || responseCode === 421) return { outcome: 'unreachable', reason }
  // Without an answer it is the client that cannot send such a mail.
  const lasting = permanent ?? responseCode === undefined
  return { outcome: lasting ? 'refused' : 'deferred', reason }
}

/**
 * The codes of an error and, where the server cannot have seen a link or a credential yet, its words: filters quote what they
 * refuse.
 */
function reasonOf(error: NodemailerError): string {
  const { code = 'EUNKNOWN', originalCode, command = '', response } = error
  const codes = [code, ...(originalCode !== undefined ? [originalCode] : []), command]
  if (response === undefined) return text([...codes, code === 'EAUTH' ? '' : error.message])
  const [status = ''] = /^\d{3}(?:[ -]\d\.\d{1,3}\.\d{1,3})?/.exec(response) ?? []
  const quotable = code === 'EENVELOPE'
  return text([...codes, quotable ? response : status])
}

function text(parts: readonly string[]): string {
  const line = parts.filter((part) => part !== '').join(' ')
  return line.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 300)
}

function isPlainAddress(address: string): boolean {
  return address.length <= 254 && /^[!-;=?-~]+@[a-z0-9.-]+$/.test(address)
}

function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1)
}
