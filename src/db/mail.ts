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

/** What is said of the request that a mail tells of. What is in a row already is read from there, when the mail is sent. */
export interface MailArguments {
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
