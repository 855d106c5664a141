import type { Pool } from 'pg'
import { type ClaimedMail, deferMail, endMail, type MailRow, queuedMail } from '../../db/mail.ts'
import { forgetOneTimeToken } from '../../db/onetimetoken.ts'
import { theirOrganization } from '../../db/organization.ts'
import { carryOut, type Transaction, writeInOrganization } from '../../db/transaction.ts'
import { authActor } from '../../domain/actor.ts'
import { retryDelay } from '../../domain/mailretry.ts'
import { auditingDeed } from '../trail.ts'
import type { CodeMinter } from './codeminter.ts'
import { type Codeless, type Prepared, type PrepareOptions, prepareMail } from './prepare.ts'
import type { Delivery, Smtp } from './smtp.ts'

/** How a mail that was claimed ended, for now or for good. */
export const mailOutcomes = [
  'sent',
  'deferred',
  'unreachable',
  'refused',
  'expired',
  'given_up',
  'unwanted',
] as const
export type MailOutcome = (typeof mailOutcomes)[number]

export interface MailReport {
  readonly outcome: MailOutcome
  readonly template?: string
  readonly reason?: string
}

export interface DeliveryOptions extends PrepareOptions {
  /** Undefined where nobody signs in by a code. */
  readonly codes: CodeMinter | undefined
  readonly pool: Pool
  readonly smtp: Pick<Smtp, 'send'>
}

/** Seconds after which a mail is tried again that did not come to the server at all. */
const afterOutage = 10
const afterFault = 5

/** Delivers one mail of the queue after another, each in its tenant's transactions. */
export class MailDelivery {
  readonly #options: DeliveryOptions

  constructor(options: DeliveryOptions) {
    this.#options = options
  }

  /** @throws whatever PostgreSQL throws; the mail comes again when its lease is over */
  async deliver({ organizationId, id }: ClaimedMail): Promise<MailReport> {
    const { pool, smtp } = this.#options
    const tenant = { organizationId, actor: authActor }
    const prepared = await writeInOrganization(
      pool,
      tenant,
      async (tx, mail, organization) => {
        if (!mail) return { outcome: 'unwanted' } as const
        if (mail.expiresAt.getTime() <= Date.now()) {
          const reason = mail.lastError ?? 'it was not sent in time'
          return fail(tx, mail, { outcome: 'expired', reason })
        }
        const ready = await prepareMail(tx, mail, organization, this.#options)
        if (ready) return { mail, ...ready }
        return drop(tx, mail)
      },
      [queuedMail(id), theirOrganization],
    )
    if ('outcome' in prepared) return prepared
    const { mail } = prepared
    const ready = 'compose' in prepared ? await this.#withCode(mail, prepared) : prepared
    if (!ready) return writeInOrganization(pool, tenant, (tx) => drop(tx, mail))
    const { letter, digest } = ready
    // Outside of any transaction: however long the server takes, it holds no row.
    const delivery = await smtp.send(id, mail.recipient, letter)
    return writeInOrganization(pool, tenant, async (tx) => {
      if (delivery.outcome !== 'sent' && digest) await forgetOneTimeToken(tx, digest)
      return record(tx, mail, delivery)
    })
  }

  async #withCode(
    { organizationId, subjectId, recipient }: MailRow,
    { compose }: Codeless,
  ): Promise<Prepared | undefined> {
    if (subjectId === null) return undefined
    const code = await this.#options.codes?.mint({ organizationId, subjectId, recipient })
    return code === undefined ? undefined : { letter: compose(code) }
  }

  /** Lets a mail that failed here come again before its lease is over. @throws whatever PostgreSQL throws */
  async giveBack({ organizationId, id }: ClaimedMail): Promise<void> {
    const later = { delay: afterFault, counted: false, reason: 'it could not be prepared' }
    await writeInOrganization(this.#options.pool, { organizationId, actor: authActor }, (tx) =>
      deferMail(tx, id, later),
    )
  }
}

async function drop(tx: Transaction, { id, template }: MailRow): Promise<MailReport> {
  await endMail(tx, id, { state: 'superseded', reason: 'nobody needs it any more' })
  return { outcome: 'unwanted', template }
}

async function record(tx: Transaction, mail: MailRow, delivery: Delivery): Promise<MailReport> {
  const { id, template } = mail
  if (delivery.outcome === 'sent') {
    await endMail(tx, id, { state: 'sent' })
    return { outcome: 'sent', template }
  }
  if (delivery.outcome === 'refused') return fail(tx, mail, delivery)
  const { outcome, reason } = delivery
  const counted = outcome === 'deferred'
  const delay = counted
    ? retryDelay(mail.attempts + 1, Math.random())
    : afterOutage * (0.5 + Math.random())
  if (delay === undefined) return fail(tx, mail, { outcome: 'given_up', reason })
  await deferMail(tx, id, { delay, counted, reason })
  return { ...delivery, template }
}

/** That somebody will not get a mail is in the audit trail, for whoever waits for them. */
async function fail(
  tx: Transaction,
  mail: MailRow,
  report: { readonly outcome: 'expired' | 'refused' | 'given_up'; readonly reason: string },
): Promise<MailReport> {
  const { organizationId, id, template, recipient } = mail
  const ended = await endMail(tx, id, { state: 'failed', reason: report.reason })
  if (ended) {
    const event = auditingDeed({
      organizationId,
      userId: undefined,
      action: 'mail.failed',
      target: { kind: 'mail', id, name: template },
      requestId: undefined,
      detail: { recipient, outcome: report.outcome, reason: report.reason },
    })
    await carryOut(tx, [event], [])
  }
  return { ...report, template }
}
