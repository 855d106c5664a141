import type { MailTemplate } from '../../db/mail.ts'
import { type Letter, type SetLetter, setLetter } from '../../web/mail/letter.ts'
import {
  accountLocked,
  emailCode,
  emailVerification,
  type Facts,
  invitation,
  passwordChanged,
  passwordReset,
  registration,
  unfamiliarSignIn,
} from '../../web/mail/letters.ts'

const letters: Readonly<Record<MailTemplate, (facts: Facts) => Letter>> = {
  registration,
  invitation,
  email_verification: emailVerification,
  password_reset: passwordReset,
  password_changed: passwordChanged,
  email_code: emailCode,
  account_locked: accountLocked,
  unfamiliar_sign_in: unfamiliarSignIn,
}

export function composeMail(template: MailTemplate, facts: Facts): SetLetter {
  return setLetter(letters[template](facts))
}

/** What a mail's row says of the request; what cannot be read is left out. */
export function requestFacts(values: Readonly<Record<string, unknown>>): Facts['request'] {
  const [address, device] = [text(values['address']), text(values['device'])]
  return { address, device, at: moment(values['at']), until: moment(values['until']) }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, 200) : undefined
}

function moment(value: unknown): Date | undefined {
  const date = typeof value === 'string' ? new Date(value) : undefined
  return date && !Number.isNaN(date.getTime()) ? date : undefined
}
