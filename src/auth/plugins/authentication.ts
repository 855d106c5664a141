import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  onRequestAsyncHookHandler,
} from 'fastify'
import { challengeFor, quotaHeaders } from '../check/answer.ts'
import type { ClientAddresses } from '../check/clientaddress.ts'
import type { DenialLog } from '../check/denials.ts'
import type { Judge, Verdict } from '../check/judge.ts'
import { noQuestion, type Question } from '../check/question.ts'
import { readRequestHeaders } from '../check/requestheaders.ts'
import type { ApiKeyCredential } from '../index/credential.ts'
import type { SessionCredential } from '../index/session.ts'
import type { Person } from '../people.ts'
import { type ProblemCode, problem, problemMediaType, statusOf } from '../problem.ts'

export interface AuthenticationOptions {
  readonly judge: Judge
  readonly addresses: ClientAddresses
  readonly denials: DenialLog
}

/** Why somebody is turned away. */
interface Refusal extends Pick<Verdict, 'credential' | 'quota'> {
  readonly code: ProblemCode
  /** The scope that would have been needed. */
  readonly scope?: string | undefined
  /** Seconds. */
  readonly retryAfter?: number | undefined
}

/** Makes room for the caller on each request. */
export function registerAuthentication(framework: FastifyInstance): void {
  framework.decorateRequest('caller', null)
  framework.decorateRequest('session', null)
}

/**
 * A hook that lets nobody through without a credential of this scope. It runs before the body is read: what somebody
 * unknown sends is not looked at.
 */
export function requireScope(
  scope: string,
  options: AuthenticationOptions,
): onRequestAsyncHookHandler {
  return requirement({ ...noQuestion, scopes: [scope] }, scope, () => true, options)
}

/**
 * Like `requireScope`, for a route that tells only by the body which scope is needed: it lets through who has one of those
 * that could do.
 * @param scope what others are told that they need
 */
export function requireScopeThat(
  mayDo: (scope: string) => boolean,
  scope: string,
  options: AuthenticationOptions,
): onRequestAsyncHookHandler {
  return requirement(noQuestion, scope, ({ policy }) => policy.scopes.some(mayDo), options)
}

/**
 * A hook that lets nobody through but a person who is signed in, by a session cookie or an access token. What they may do is
 * the route's to ask, by `personOf`.
 */
export function requirePerson(options: AuthenticationOptions): onRequestAsyncHookHandler {
  return async (request, reply) => {
    const { headers, address } = clientOf(request, options)
    // On routes of our own, what another site has a browser do is refused by the check of origins.
    const own = { ...headers, sameOrigin: true }
    const { code, credential, quota } = await options.judge.judge(own, address, noQuestion)
    if (code !== 'allowed') return turnAway(request, reply, { code, credential, quota }, options)
    if (credential.kind !== 'User') {
      return turnAway(request, reply, { code: 'person_required', credential }, options)
    }
    request.setDecorator('session', credential)
  }
}

function requirement(
  question: Question,
  scope: string,
  suffices: (credential: ApiKeyCredential) => boolean,
  options: AuthenticationOptions,
): onRequestAsyncHookHandler {
  return async (request, reply) => {
    const { headers, address } = clientOf(request, options)
    const verdict = await options.judge.judge(headers, address, question)
    const { code, credential, quota } = verdict
    if (quota) reply.headers(quotaHeaders(quota))
    if (code !== 'allowed')
      return turnAway(request, reply, { code, credential, quota, scope }, options)
    // People have no scopes: such a route is for programs.
    if (credential.kind !== 'APIKey' || !suffices(credential)) {
      return turnAway(request, reply, { code: 'insufficient_scope', credential, scope }, options)
    }
    request.setDecorator('caller', credential)
  }
}

/** Answers with a problem, and logs who was turned away and why. */
export async function turnAway(
  request: FastifyRequest,
  reply: FastifyReply,
  { code, credential, quota, scope, retryAfter }: Refusal,
  options: AuthenticationOptions,
): Promise<void> {
  const { address } = clientOf(request, options)
  options.denials.write({ requestId: request.id, code, address, credential }, Date.now())
  const challenge = challengeFor(code, scope === undefined ? [] : [scope])
  if (challenge !== undefined) reply.header('www-authenticate', challenge)
  if (code === 'rate_limited') reply.header('retry-after', quota?.reset ?? 1)
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter)
  await reply.code(statusOf(code)).type(problemMediaType).send(problem(code, request.id))
}

function clientOf({ raw }: FastifyRequest, { addresses }: AuthenticationOptions) {
  const headers = readRequestHeaders(raw.rawHeaders)
  return { headers, address: addresses.client(addresses.peer(raw.socket), headers.forwardedFor) }
}

/** Who asks, on a route that requires a scope. */
export function callerOf(request: FastifyRequest): ApiKeyCredential {
  return request.getDecorator<ApiKeyCredential>('caller')
}

/** Who asks, on a route that requires a person. */
export function personOf(request: FastifyRequest): Person {
  const { id, user, tenant, authenticatedAt } = request.getDecorator<SessionCredential>('session')
  return {
    organizationId: tenant.id,
    organization: tenant.name ?? '',
    userId: user.id,
    email: user.email,
    sessionId: id,
    authenticatedAt: new Date(authenticatedAt),
  }
}
