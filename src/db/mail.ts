import type { Queryable } from './credentialindex.ts'
import {
  insertion,
  insertionUnless,
  integer,
  literal,
  type Reading,
  readingsOf,
} from './statement.ts'
import { mails } from './tables/mail.ts'
import type { Transaction } from './transaction.ts'

/** Seconds for which it helps people to be told what happened. */
export const noticeUseful = 86_400

/** What people are written about; a template each. */
export const mailTemplates = [
  'registration',
  'invitation',
  'email_verification',
  'password_reset',
  'password_changed',
  'email_code',
  'account_locked',
  'unfamiliar_sign_in',
] as const
export type MailTemplate = (typeof mailTemplates)[number]

export type MailRow = typeof mails.$inferSelect

/** What is said of the request that a mail tells of. What is in a row already is read from there, when the mail is sent. */
interface MailArguments {
  /** From where it came: an IP address. */
  readonly address?: string
  /** From which device, in words: `Firefox on Linux`. */
  readonly device?: string
  /** When it was, and until when something holds: ISO 8601. */
  readonly at?: string
  readonly until?: string
}

/** A mail that is to be sent. It has no secret: a token that it carries is minted when it is sent, and is stored as a digest alone. */
export interface OutgoingMail {
  readonly organizationId: string
  readonly template: MailTemplate
  /** A canonical address. */
  readonly recipient: string
  /** What a token in it is for: the user, the invitation, the organization of a registration, or what a code is asked for by. */
  readonly subjectId?: string
  /** What the template says beside it: plain text, never a secret. Each may be left out. */
  readonly arguments?: MailArguments
  /** Seconds after which nobody needs it any more. */
  readonly usefulFor: number
}

/** Puts a mail into the queue, in the transaction of what it tells of. One that waits for the same is superseded. */
export function mailing(mail: OutgoingMail): readonly string[] {
  const { template, subjectId } = mail
  const superseded =
    subjectId === undefined
      ? []
      : [
          `update cardea.mails set state = 'superseded' where state = 'queued' and template = ${literal(template)} and subject_id = ${literal(subjectId)}`,
        ]
  return [...superseded, queueing(mail)]
}

/** Puts a mail into the queue whose subject has none there. */
export function queueing(mail: OutgoingMail): string {
  return insertion(mails, [rowOf(mail)])
}

/** Puts a mail into the queue unless one for the same was put there in the last seconds, sent or not. */
export function mailingUnlessLately(
  mail: OutgoingMail & { readonly subjectId: string },
  seconds: number,
): string {
  const { template, subjectId } = mail
  // The ids are in the order of time: no more of them are looked at than were made since.
  const lately = `select from cardea.mails where id > (select uuidv7(make_interval(secs => -${integer(seconds)})))
    and template = ${literal(template)} and subject_id = ${literal(subjectId)}`
  return insertionUnless(mails, rowOf(mail), lately)
}

function rowOf(mail: OutgoingMail) {
  if (!Number.isSafeInteger(mail.usefulFor)) throw new TypeError('a time is in whole seconds')
  return { ...mail, expiresAt: new Date(Date.now() + mail.usefulFor * 1000) }
}

/** A mail that was taken from the queue of all tenants. */
export interface ClaimedMail {
  readonly organizationId: string
  readonly id: string
}

/**
 * Takes mails that are due, and keeps every other replica from them.
 * @param lease seconds; what is not reported until then comes again
 */
export async function claimMails(
  db: Queryable,
  lease: number,
  most: number,
): Promise<readonly ClaimedMail[]> {
  const { rows } = await db.query<ClaimedMail>(
    'select organization_id as "organizationId", id from cardea.claim_mails($1, $2)',
    [lease, most],
  )
  return rows
}

/** How many mails wait, and since when the eldest does. */
export async function mailBacklog(
  db: Queryable,
): Promise<{ readonly queued: number; readonly oldest: Date | undefined }> {
  const { rows } = await db.query<{ queued: string; oldest: Date | null }>(
    'select queued, oldest from cardea.mail_backlog()',
    [],
  )
  const [row] = rows
  return { queued: Number(row?.queued ?? 0), oldest: row?.oldest ?? undefined }
}

/** A mail for as long as it waits, held for the transaction. */
export function queuedMail(id: string): Reading<MailRow | undefined> {
  return readingsOf(mails)(
    `where id = ${literal(id)} and state = 'queued' for update`,
    ([row]) => row,
  )
}

/** Writes down how a mail ended. One that was superseded meanwhile stays so. */
export async function endMail(
  tx: Transaction,
  id: string,
  end: { readonly state: 'sent' | 'failed' | 'superseded'; readonly reason?: string },
): Promise<boolean> {
  const { rowCount } = await tx.$client.query(
    `update cardea.mails set state = $2, last_error = $3, sent_at = case when $2 = 'sent' then now() end
     where id = $1 and state = 'queued'`,
    [id, end.state, end.reason ?? null],
  )
  return rowCount === 1
}

/**
 * Has a mail wait for its next attempt.
 * @param delay seconds
 * @param counted whether this was an attempt, which are bounded
 */
export async function deferMail(
  tx: Transaction,
  id: string,
  later: { readonly delay: number; readonly counted: boolean; readonly reason: string },
): Promise<void> {
  await tx.$client.query(
    `update cardea.mails set next_attempt_at = now() + make_interval(secs => $2), last_error = $3,
       attempts = attempts + $4
     where id = $1 and state = 'queued'`,
    [id, later.delay, later.reason, later.counted ? 1 : 0],
  )
}
