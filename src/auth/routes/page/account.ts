import type { FastifyInstance, FastifyRequest } from 'fastify'
import { profilePage } from '../../../web/account.ts'
import type { Fault } from '../../../web/form.ts'
import { passwordPage } from '../../../web/password.ts'
import { sessionsPage } from '../../../web/sessions.ts'
import { clientOf } from '../../plugins/client.ts'
import { clearSessionCookie, renewSessionCookie } from '../../plugins/sessioncookie.ts'
import { isRefused } from '../../refusal.ts'
import { faultsOf, missing, sendFaulty } from './fault.ts'
import { fieldsOf } from './fields.ts'
import type { PageOptions } from './options.ts'
import { redirect, residentOf, signedIn } from './person.ts'
import { sendPage } from './problem.ts'
import { announce, takeNotice } from './state.ts'

/** What somebody sees and changes of their own account. In a context that lets in who is signed in. */
export function registerAccount(context: FastifyInstance, options: PageOptions): void {
  registerProfile(context, options)
  registerSessions(context, options)
  registerPasswordChange(context, options)
}

interface Said {
  readonly faults?: readonly Fault[]
  readonly notice?: string | undefined
}

function registerProfile(context: FastifyInstance, { people, addresses }: PageOptions): void {
  const page = async (request: FastifyRequest, typed: string | undefined, said: Said) => {
    const { name, roles, createdAt } = await people.members.me(signedIn(request).person)
    const { faults = [], notice } = said
    const about = { name: typed ?? name, roles, createdAt, faults, notice }
    return profilePage({ ...residentOf(request), ...about })
  }
  context.get('/account', async (request, reply) => {
    return sendPage(reply, await page(request, undefined, { notice: takeNotice(request, reply) }))
  })
  context.post('/account', async (request, reply) => {
    const name = fieldsOf(request, ['name']).name.trim()
    const faults = missing('name', name, 'your name')
    if (faults.length > 0) return sendFaulty(reply, await page(request, name, { faults }))
    const client = clientOf(request, addresses)
    const renamed = await people.members.rename(signedIn(request).person, name, client)
    if (isRefused(renamed)) {
      return sendFaulty(reply, await page(request, name, { faults: faultsOf(renamed) }), renamed)
    }
    announce(reply, 'profile_saved')
    return redirect(reply, '/account')
  })
}

function registerSessions(
  context: FastifyInstance,
  { people, addresses, clock }: PageOptions,
): void {
  context.get('/account/sessions', async (request, reply) => {
    const sessions = await people.sessions.list(signedIn(request).person)
    const view = { sessions, now: clock.now(), notice: takeNotice(request, reply) }
    return sendPage(reply, sessionsPage({ ...residentOf(request), ...view }))
  })
  context.post('/account/sessions', async (request, reply) => {
    const { session, end } = fieldsOf(request, ['session', 'end'])
    const { person } = signedIn(request)
    const client = clientOf(request, addresses)
    if (end === 'all') {
      await people.sessions.revokeAll(person, 'none', client)
      clearSessionCookie(reply)
      announce(reply, 'signed_out_everywhere')
      return redirect(reply, '/login')
    }
    if (end === 'others') {
      await people.sessions.revokeAll(person, 'current', client)
      announce(reply, 'others_ended')
      return redirect(reply, '/account/sessions')
    }
    // One that is over already is what was wanted.
    await people.sessions.revoke(person, session, client)
    announce(reply, 'session_ended')
    return redirect(reply, '/account/sessions')
  })
}

function registerPasswordChange(
  context: FastifyInstance,
  { people, addresses }: PageOptions,
): void {
  const page = async (request: FastifyRequest, { faults = [], notice }: Said) => {
    const { organizationId } = signedIn(request).person
    const rules = await people.passwords.rules(organizationId)
    return passwordPage({ ...residentOf(request), rules, faults, notice })
  }
  context.get('/account/password', async (request, reply) => {
    return sendPage(reply, await page(request, { notice: takeNotice(request, reply) }))
  })
  context.post('/account/password', async (request, reply) => {
    const { current, password } = fieldsOf(request, ['email', 'current', 'password'])
    const faults = [
      ...missing('current', current, 'your current password'),
      ...missing('password', password, 'a new password'),
    ]
    if (faults.length > 0) return sendFaulty(reply, await page(request, { faults }))
    const { person } = signedIn(request)
    const client = clientOf(request, addresses)
    const changed = await people.passwords.change(person, current, password, client)
    if (isRefused(changed)) {
      return sendFaulty(reply, await page(request, { faults: faultsOf(changed) }), changed)
    }
    if (changed.cookie !== undefined) renewSessionCookie(reply, changed.cookie)
    announce(reply, 'password_changed')
    return redirect(reply, '/account/password')
  })
}
