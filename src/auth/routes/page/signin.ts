import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Fault } from '../../../web/form.ts'
import { identifyPage, methodPage, onwardPage } from '../../../web/signin.ts'
import type { StartedSession } from '../../people.ts'
import { clientOf, hintOf } from '../../plugins/client.ts'
import { clearSessionCookie, setSessionCookies } from '../../plugins/sessioncookie.ts'
import { isRefused } from '../../refusal.ts'
import { faultsOf, missing, readEmail, sendFaulty } from './fault.ts'
import { fieldsOf, queryOf } from './fields.ts'
import type { PageOptions } from './options.ts'
import { organizationOfHost, readOrganization } from './organization.ts'
import { redirect, requireSignedIn, sessionOf, signedIn } from './person.ts'
import { sendPage } from './problem.ts'
import { isListed, readDestination } from './returnto.ts'
import {
  announce,
  forgetSignIn,
  keepSignIn,
  readSignIn,
  readSignInOf,
  type SignInState,
  takeNotice,
} from './state.ts'

/** Signing in, and out. */
export function registerSignIn(context: FastifyInstance, options: PageOptions): void {
  registerIdentification(context, options)
  registerPassword(context, options)
  context.get('/login/continue', {
    onRequest: requireSignedIn(options),
    handler: async (request, reply) => {
      const destination = readDestination(queryOf(request, 'return_to'), options.publicUrl)
      if (destination?.kind === 'path') return redirect(reply, destination.path)
      const { origins } = signedIn(request).tenant
      const listed = destination !== undefined && isListed(destination.url, origins)
      return listed ? sendPage(reply, onwardPage(destination.url)) : redirect(reply, '/account')
    },
  })
  context.post('/logout', async (request, reply) => {
    fieldsOf(request, [])
    const session = await sessionOf(request, options)
    if (session) {
      const client = clientOf(request, options.addresses)
      await options.people.sessions.end(session.person, client)
    }
    clearSessionCookie(reply)
    announce(reply, 'signed_out')
    return redirect(reply, '/login')
  })
}

/** Which organization, which address. */
function registerIdentification(context: FastifyInstance, options: PageOptions): void {
  const { people, organizationHosts } = options
  const page = (
    request: FastifyRequest,
    state: SignInState,
    more: { faults?: readonly Fault[]; notice?: string | undefined },
  ) => {
    const ofHost = organizationOfHost(request, organizationHosts)
    return identifyPage({
      organization: ofHost ?? state.organization,
      organizationKnown: ofHost !== undefined,
      email: state.email,
      returnTo: state.returnTo,
      registrationOpen: people.registration.allowed,
      notice: more.notice,
      faults: more.faults ?? [],
    })
  }
  context.get('/login', async (request, reply) => {
    const kept = readSignIn(request)
    const returnTo = queryOf(request, 'return_to') ?? kept?.returnTo
    if (await sessionOf(request, options)) return goOn(reply, returnTo, options)
    const state = { organization: kept?.organization ?? '', email: kept?.email ?? '', returnTo }
    return sendPage(reply, page(request, state, { notice: takeNotice(request, reply) }))
  })
  context.post('/login', async (request, reply) => {
    const form = fieldsOf(request, ['email', 'organization', 'return_to'])
    const email = readEmail(form.email)
    const named = readOrganization(form.organization)
    const returnTo = form.return_to === '' ? undefined : form.return_to
    const state = { organization: named.organization, email: email.email, returnTo }
    const faults = [...email.faults, ...named.faults]
    if (faults.length > 0) return sendFaulty(reply, page(request, state, { faults }))
    keepSignIn(reply, state)
    return redirect(reply, '/login/password')
  })
}

/** How: the page offers what the organization allows, and takes a password. */
function registerPassword(context: FastifyInstance, options: PageOptions): void {
  const { people, addresses, organizationHosts } = options
  const page = async (
    request: FastifyRequest,
    { organization, email }: SignInState,
    more: { faults?: readonly Fault[]; notice?: string | undefined },
  ) => {
    const methods = await people.signIn.methods(hintOf(request, organization), email)
    const shown = organizationOfHost(request, organizationHosts) ?? organization
    const { faults = [], notice } = more
    return methodPage({ organization: shown, email, methods, faults, notice })
  }
  context.get('/login/password', async (request, reply) => {
    const state = readSignIn(request)
    if (!state || state.email === '') return redirect(reply, '/login')
    return sendPage(reply, await page(request, state, { notice: takeNotice(request, reply) }))
  })
  context.post('/login/password', async (request, reply) => {
    const { email, password } = fieldsOf(request, ['email', 'password'])
    const state = readSignInOf(request, email)
    if (!state) return redirect(reply, '/login')
    const faults = missing('password', password, 'your password')
    if (faults.length > 0) return sendFaulty(reply, await page(request, state, { faults }))
    const started = await people.signIn.withPassword({
      organization: hintOf(request, state.organization),
      email: state.email,
      password,
      kind: 'browser',
      client: clientOf(request, addresses),
    })
    if (!isRefused(started)) return enter(reply, started, state.returnTo, options)
    return sendFaulty(reply, await page(request, state, { faults: faultsOf(started) }), started)
  })
}

/** Gives the browser its session, and sends it where its person wanted to go. */
export function enter(
  reply: FastifyReply,
  session: StartedSession,
  returnTo: string | undefined,
  options: PageOptions,
): FastifyReply {
  if (session.kind !== 'browser') throw new Error('a page was given the session of a program')
  setSessionCookies(reply, session)
  forgetSignIn(reply)
  return goOn(reply, returnTo, options)
}

function goOn(
  reply: FastifyReply,
  returnTo: string | undefined,
  { publicUrl }: PageOptions,
): FastifyReply {
  const destination = readDestination(returnTo, publicUrl)
  if (destination === undefined) return redirect(reply, '/account')
  if (destination.kind === 'path') return redirect(reply, destination.path)
  // Which origins the organization lists is known once its session is.
  return redirect(reply, `/login/continue?return_to=${encodeURIComponent(destination.url.href)}`)
}
