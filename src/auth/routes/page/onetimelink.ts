import type { FastifyInstance, FastifyReply } from 'fastify'
import { readToken } from '../../../domain/onetimetoken.ts'
import type { Fault } from '../../../web/form.ts'
import { deadLinkPage, invitationPage, resetPage, verifyPage } from '../../../web/onetimelink.ts'
import { clientOf } from '../../plugins/client.ts'
import { isRefused } from '../../refusal.ts'
import { faultsOf, missing, sendFaulty } from './fault.ts'
import { fieldsOf, queryOf } from './fields.ts'
import type { PageOptions } from './options.ts'
import { redirect } from './person.ts'
import { sendPage } from './problem.ts'
import { announce, keepSignIn, type Notice } from './state.ts'

/** Where the links of mails lead. GET shows a page and uses nothing up; only its button does. */
export function registerOneTimeLinks(context: FastifyInstance, options: PageOptions): void {
  registerVerification(context, options)
  registerInvitation(context, options)
  registerReset(context, options)
}

const dead = {
  verify: deadLinkPage(
    'It was used already, it is too old, or a newer one was sent. If your address is confirmed, you can just sign in.',
    { href: '/login', text: 'Sign in' },
  ),
  invitation: deadLinkPage(
    'It was used already, it is too old, or the invitation was withdrawn. Ask whoever invited you for another one.',
    { href: '/login', text: 'Sign in' },
  ),
  reset: deadLinkPage('It was used already, it is older than an hour, or a newer one was sent.', {
    href: '/forgot',
    text: 'Send me another link',
  }),
}

const notTheChosenOne: Fault = {
  field: 'password',
  message: 'This is not the password that was chosen with the account.',
}

function registerVerification(context: FastifyInstance, { people, addresses }: PageOptions): void {
  context.get('/verify', async (request, reply) => {
    const token = tokenOf(queryOf(request, 'token'))
    return token === undefined ? gone(reply, dead.verify) : sendPage(reply, verifyPage(token, []))
  })
  context.post('/verify', async (request, reply) => {
    const { token, password } = fieldsOf(request, ['token', 'password'])
    const faults = missing('password', password, 'your password')
    if (faults.length > 0) return sendFaulty(reply, verifyPage(token, faults))
    const client = clientOf(request, addresses)
    const verified = await people.registration.verifyEmail(token, password, client)
    if (!isRefused(verified)) return welcome(reply, verified, 'email_verified')
    if (verified.refused === 'token_invalid') return gone(reply, dead.verify)
    if (verified.refused === 'password_wrong') {
      return sendFaulty(reply, verifyPage(token, [notTheChosenOne]), verified)
    }
    if (verified.refused === 'busy') {
      return sendFaulty(reply, verifyPage(token, faultsOf(verified)), verified)
    }
    const [fault] = faultsOf(verified)
    const next = { href: '/register', text: 'Register again' }
    return sendFaulty(reply, deadLinkPage(fault?.message ?? '', next), verified)
  })
}

function registerInvitation(context: FastifyInstance, { people, addresses }: PageOptions): void {
  const page = async (token: string, name: string, faults: readonly Fault[]) => {
    const invitation = await people.invitations.look(token)
    if (!invitation) return undefined
    const { displayName, email, organizationId, role, project, invitedBy } = invitation
    const rules = await people.passwords.rules(organizationId)
    return invitationPage({
      token,
      organization: displayName,
      email,
      role,
      project,
      invitedBy,
      name,
      rules,
      faults,
    })
  }
  context.get('/invitation', async (request, reply) => {
    const token = tokenOf(queryOf(request, 'token'))
    const shown = token === undefined ? undefined : await page(token, '', [])
    return shown === undefined ? gone(reply, dead.invitation) : sendPage(reply, shown)
  })
  context.post('/invitation', async (request, reply) => {
    const form = fieldsOf(request, ['token', 'email', 'name', 'password'])
    const { token, password } = form
    const name = form.name.trim()
    const again = async (faults: readonly Fault[], refusal?: Parameters<typeof faultsOf>[0]) => {
      const shown = await page(token, name, faults)
      return shown === undefined ? gone(reply, dead.invitation) : sendFaulty(reply, shown, refusal)
    }
    const faults = [
      ...missing('name', name, 'your name'),
      ...missing('password', password, 'a password'),
    ]
    if (faults.length > 0) return again(faults)
    const client = clientOf(request, addresses)
    const accepted = await people.invitations.accept(token, { name, password }, client)
    if (!isRefused(accepted)) return welcome(reply, accepted, 'invitation_accepted')
    if (accepted.refused === 'token_invalid') return gone(reply, dead.invitation)
    return again(faultsOf(accepted), accepted)
  })
}

function registerReset(context: FastifyInstance, { people, addresses }: PageOptions): void {
  const page = async (token: string, faults: readonly Fault[]) => {
    const rules = await people.passwords.rules(readToken('co', token)?.organizationId)
    return resetPage({ token, rules, faults })
  }
  context.get('/reset', async (request, reply) => {
    const token = tokenOf(queryOf(request, 'token'))
    const good = token !== undefined && (await people.passwords.look(token))
    return good ? sendPage(reply, await page(token, [])) : gone(reply, dead.reset)
  })
  context.post('/reset', async (request, reply) => {
    const { token, password } = fieldsOf(request, ['token', 'password'])
    const faults = missing('password', password, 'a new password')
    if (faults.length > 0) return sendFaulty(reply, await page(token, faults))
    const client = clientOf(request, addresses)
    const reset = await people.passwords.reset(token, password, client)
    if (!isRefused(reset)) return welcome(reply, reset, 'password_reset')
    if (reset.refused === 'token_invalid') return gone(reply, dead.reset)
    return sendFaulty(reply, await page(token, faultsOf(reset)), reset)
  })
}

/** @returns undefined for what is no token of a mail by its form */
function tokenOf(text: string | undefined): string | undefined {
  return text !== undefined && readToken('co', text) ? text : undefined
}

/** Sends to sign in, with what is known filled in. */
function welcome(
  reply: FastifyReply,
  { organization, email }: { readonly organization: string; readonly email: string },
  notice: Notice,
): FastifyReply {
  keepSignIn(reply, { organization, email })
  announce(reply, notice)
  return redirect(reply, '/login/password')
}

/** RFC 9110, section 15.5.11: it was there, perhaps. */
function gone(reply: FastifyReply, page: string): FastifyReply {
  return sendPage(reply, page, 410)
}
