import { randomBytes } from 'node:crypto'
import { type MailRow, type MailTemplate, mailTemplates } from '../../db/mail.ts'
import {
  invitationToAccept,
  type MailSubject,
  registrationToConfirm,
  userToLetIn,
  userToTell,
} from '../../db/mailsubject.ts'
import { insertOneTimeToken } from '../../db/onetimetoken.ts'
import type { Transaction } from '../../db/transaction.ts'
import { digestToken, mintToken, tokenEntropy, tokenLifetime } from '../../domain/onetimetoken.ts'
import type { SetLetter } from '../../web/mail/letter.ts'
import { composeMail, requestFacts } from './compose.ts'

export interface PrepareOptions {
  /** Without a slash at the end. */
  readonly publicUrl: string
}

/** The templates that carry a token, by its purpose. */
const purposes: Partial<Record<MailTemplate, keyof typeof tokenLifetime>> = {
  registration: 'registration',
  invitation: 'invitation',
  email_verification: 'email_verification',
  password_reset: 'password_reset',
}

/** A letter that only lacks its code. */
export interface Codeless {
  readonly compose: (code: string) => SetLetter
}

/** A letter, and the digest of the token that it carries. */
export interface Prepared {
  readonly letter: SetLetter
  readonly digest?: Buffer
}

type Wanted = (tx: Transaction, mail: MailRow) => Promise<MailSubject | undefined>

const always: Wanted = async () => ({})

/** What each template is about; undefined when nobody needs the mail any more. */
const subjects: Readonly<Record<MailTemplate, Wanted>> = {
  registration: registrationToConfirm,
  invitation: invitationToAccept,
  email_verification: userToTell,
  password_reset: userToLetIn,
  password_changed: userToTell,
  // Whoever mints the code knows whether somebody waits for it.
  email_code: always,
  account_locked: userToTell,
  unfamiliar_sign_in: userToTell,
}

/**
 * Writes the letter of a mail, with a token that is minted for this one attempt: the transaction has its digest, and the letter
 * alone has the text.
 * @returns undefined when nobody needs the mail any more
 */
export async function prepareMail(
  tx: Transaction,
  mail: MailRow,
  organization: { readonly name: string; readonly displayName: string } | undefined,
  { publicUrl }: PrepareOptions,
): Promise<Prepared | Codeless | undefined> {
  const template = mailTemplates.find((known) => known === mail.template)
  const subject = template && (await subjects[template](tx, mail))
  const from = subject?.organization ?? organization
  if (!template || !subject || !from) return undefined
  const facts = {
    publicUrl,
    organization: from,
    recipient: mail.recipient,
    request: requestFacts(mail.arguments),
    invitation: subject.invitation,
  }
  if (template === 'email_code') {
    return { compose: (code) => composeMail(template, { ...facts, code, ends: mail.expiresAt }) }
  }
  const { digest, ...token } = await mint(tx, mail, template, subject)
  return { letter: composeMail(template, { ...facts, ...token }), ...(digest && { digest }) }
}

async function mint(
  tx: Transaction,
  { organizationId, subjectId }: MailRow,
  template: MailTemplate,
  { endsAt }: MailSubject,
): Promise<{ readonly token?: string; readonly digest?: Buffer; readonly ends?: Date }> {
  const purpose = purposes[template]
  if (!purpose || subjectId === null) return {}
  const longest = tokenLifetime[purpose]
  const left = endsAt === undefined ? longest : (endsAt.getTime() - Date.now()) / 1000
  const lifetime = Math.max(1, Math.floor(Math.min(longest, left)))
  const token = mintToken('co', organizationId, randomBytes(tokenEntropy))
  const digest = digestToken(token)
  await insertOneTimeToken(tx, { organizationId, purpose, subjectId, digest, lifetime })
  return { token, digest, ends: after(lifetime) }
}

function after(seconds: number): Date {
  return new Date(Date.now() + seconds * 1000)
}
