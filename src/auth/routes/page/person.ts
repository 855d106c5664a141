import type { FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from 'fastify'
import type { Resident } from '../../../web/layout.ts'
import { noQuestion } from '../../check/question.ts'
import { readRequestHeaders } from '../../check/requestheaders.ts'
import type { SessionCredential } from '../../index/session.ts'
import type { Tenant } from '../../index/tenant.ts'
import type { Person } from '../../people.ts'
import { type AuthenticationOptions, personOf } from '../../plugins/authentication.ts'
import { keepSignIn } from './state.ts'

/** Somebody who is signed in, and their organization. */
export interface SignedIn {
  readonly person: Person
  readonly tenant: Pick<Tenant, 'displayName' | 'origins'>
  /** Whether they have a permission on the whole organization, as far as this replica knows; the services ask again. */
  readonly may: (permission: string) => boolean
}

/**
 * Whose session a request comes with.
 * @returns undefined for nobody who is signed in
 * @throws UnavailableError when it cannot be told now: whoever is signed in must not be sent to sign in again
 */
export async function sessionOf(
  request: FastifyRequest,
  { judge, addresses }: AuthenticationOptions,
): Promise<SignedIn | undefined> {
  const { raw } = request
  const headers = readRequestHeaders(raw.rawHeaders)
  const address = addresses.client(addresses.peer(raw.socket), headers.forwardedFor)
  const { code, credential } = await judge.judge(headers, address, noQuestion)
  if (code !== 'allowed' || credential.kind !== 'User') return undefined
  request.setDecorator('session', credential)
  return signedIn(request)
}

/** A hook that sends to sign in whoever is not; afterwards they come back to what they wanted to see. */
export function requireSignedIn(options: AuthenticationOptions): onRequestAsyncHookHandler {
  return async (request, reply) => {
    if (await sessionOf(request, options)) return
    if (request.method === 'GET') {
      keepSignIn(reply, { organization: '', email: '', returnTo: request.url })
    }
    await redirect(reply, '/login')
  }
}

/** Who asks, behind the hook. */
export function signedIn(request: FastifyRequest): SignedIn {
  const session = request.getDecorator<SessionCredential>('session')
  const roles = session.rolesOn(undefined)
  const may = (permission: string) => roles.permits(permission)
  return { person: personOf(request), tenant: session.tenant, may }
}

/** Whose pages are shown, behind the hook. */
export function residentOf(request: FastifyRequest): Resident {
  const { person, tenant, may } = signedIn(request)
  const organization = tenant.displayName === '' ? person.organization : tenant.displayName
  return { organization, email: person.email, seesMembers: may('members:read') }
}

/** RFC 9110, section 15.4.4: whatever the method was, the next one is GET. */
export function redirect(reply: FastifyReply, path: string): FastifyReply {
  return reply.redirect(path, 303)
}
