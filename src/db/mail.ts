import { insertion, integer, literal } from './statement.ts'
import { mails } from './tables/mail.ts'

/** What people are written about; a template each. */
export const mailTemplates = [
  'registration',
  'already_registered',
  'invitation',
  'email_verification',
  'password_reset',
  'password_changed',
  'email_code',
  'account_locked',
  'unfamiliar_sign_in',
] as const
export type MailTemplate = (typeof mailTemplates)[number]

/** A mail that is to be sent. It has no secret: a token that it carries is minted when it is sent, and is stored as a digest alone. */
export interface OutgoingMail {
  readonly organizationId: string
  readonly template: MailTemplate
  /** A canonical address. */
  readonly recipient: string
  /** The user, invitation, registration or code that a token in it is for. */
  readonly subjectId?: string
  /** What the template says beside it: plain text, never a secret. */
  readonly arguments?: Readonly<Record<string, string>>
  /** Seconds after which nobody needs it any more. */
  readonly usefulFor: number
}

/** Puts a mail into the queue, in the transaction of what it tells of. One that waits for the same is superseded. */
export function mailing(mail: OutgoingMail): readonly string[] {
  const { usefulFor, template, subjectId } = mail
  const superseded =
    subjectId === undefined
      ? []
      : [
          `update cardea.mails set state = 'superseded' where state = 'queued' and template = ${literal(template)} and subject_id = ${literal(subjectId)}`,
        ]
  const row = { ...mail, expiresAt: new Date(Date.now() + integerOf(usefulFor) * 1000) }
  return [...superseded, insertion(mails, [row])]
}

function integerOf(value: number): number {
  return Number(integer(value))
}
