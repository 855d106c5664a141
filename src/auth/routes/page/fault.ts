import type { FastifyReply } from 'fastify'
import { canonicalEmail } from '../../../domain/email.ts'
import type { Fault } from '../../../web/form.ts'
import { waitingTime } from '../../../web/problem.ts'
import type { Refused } from '../../people.ts'
import { type ProblemCode, statusOf } from '../../problem.ts'
import { noteRefusal } from '../../refusal.ts'
import { sendPage } from './problem.ts'

/** What is said of a refusal on the form that was refused: which field, and how to do better. It tells nothing of others. */
const sentences: Partial<Readonly<Record<ProblemCode, Fault>>> = {
  sign_in_failed: {
    message: 'That did not work. Check the email, the organization and what you typed in here.',
  },
  email_not_verified: {
    message: 'Your address is not confirmed yet. Open the link in the mail that we sent you.',
  },
  sign_in_method_not_allowed: { message: 'Your organization does not allow this way to sign in.' },
  organization_name_taken: {
    field: 'organization',
    message: 'This short name is taken. Choose another one.',
  },
  email_domain_not_allowed: {
    field: 'email',
    message: 'The organization does not take addresses of this domain.',
  },
  password_not_accepted: { field: 'password', message: 'Choose another password.' },
  password_wrong: { field: 'current', message: 'This is not your current password.' },
  quota_exceeded: {
    message: 'The organization has as many people as it may have. Ask its administrators.',
  },
  invalid_request: { message: 'Check what you typed in: something in it cannot be right.' },
  member_exists: { field: 'email', message: 'Somebody with this address is a member already.' },
  role_not_found: { field: 'role', message: 'There is no such role.' },
  project_not_found: { field: 'project', message: 'There is no such project.' },
  permission_denied: { message: 'Your roles do not permit this.' },
  last_owner: {
    message: 'The organization would be without an owner. Make somebody else one first.',
  },
  managed_by_resource: { message: 'A resource says so, and only the resource can change it.' },
  not_found: { message: 'This is gone already.' },
  busy: { message: 'There is much to do just now. Please try again in a moment.' },
}

/** The faults of a form that a service refused. */
export function faultsOf({ refused, retryAfter, details }: Refused<ProblemCode>): readonly Fault[] {
  if (refused === 'account_locked' || refused === 'too_many_requests') {
    const wait = retryAfter === undefined ? 'later' : `in ${waitingTime(retryAfter)}`
    const message = `There were too many attempts. Try again ${wait}.`
    if (refused === 'too_many_requests') return [{ message }]
    return [
      { message: `${message} If you choose a new password by mail, your account is open at once.` },
    ]
  }
  const { field, message } = sentences[refused] ?? {
    message: 'That did not work. Please try again.',
  }
  const said = details && details.length > 0 ? details : [message]
  return said.map((sentence) => ({ field, message: sentence }))
}

/** Shows a form again with its faults. */
export function sendFaulty(
  reply: FastifyReply,
  page: string,
  refusal?: Refused<ProblemCode>,
): FastifyReply {
  if (refusal) noteRefusal(reply.request, refusal.refused)
  const status = refusal === undefined ? 422 : statusOf(refusal.refused)
  if (refusal?.retryAfter !== undefined) reply.header('retry-after', refusal.retryAfter)
  // 401 would ask the browser for a credential in a header.
  return sendPage(reply, page, status === 429 || status === 503 ? status : 422)
}

/** Reads an address that was typed in. @param whose as it is asked for: `your`, or `the` of somebody else */
export function readEmail(
  text: string,
  whose: 'your' | 'the' = 'your',
): { email: string; faults: readonly Fault[] } {
  const email = canonicalEmail(text)
  if (email !== undefined) return { email, faults: [] }
  const message =
    text.trim() === ''
      ? `Enter ${whose} email address.`
      : 'Enter an email address in the form name@example.com.'
  return { email: text.trim(), faults: [{ field: 'email', message }] }
}

/** @param what as it is asked for: `your name` */
export function missing(field: string, text: string, what: string): readonly Fault[] {
  return text.trim() === '' ? [{ field, message: `Enter ${what}.` }] : []
}
