import type { FastifyInstance, FastifyRequest, onRequestAsyncHookHandler } from 'fastify'
import { challengeFor, quotaHeaders } from '../check/answer.ts'
import type { ClientAddresses } from '../check/clientaddress.ts'
import type { DenialLog } from '../check/denials.ts'
import type { Judge } from '../check/judge.ts'
import { noQuestion } from '../check/question.ts'
import { readRequestHeaders } from '../check/requestheaders.ts'
import type { Credential } from '../index/credential.ts'
import { problem, problemMediaType, statusOf } from '../problem.ts'

export interface AuthenticationOptions {
  readonly judge: Judge
  readonly addresses: ClientAddresses
  readonly denials: DenialLog
}

/** Makes room for the caller on each request. */
export function registerAuthentication(framework: FastifyInstance): void {
  framework.decorateRequest('caller', null)
}

/**
 * A hook that lets nobody through without a credential of this scope. It runs before the body is read: what somebody
 * unknown sends is not looked at.
 */
export function requireScope(
  scope: string,
  { judge, addresses, denials }: AuthenticationOptions,
): onRequestAsyncHookHandler {
  const question = { ...noQuestion, scopes: [scope] }
  return async (request, reply) => {
    const headers = readRequestHeaders(request.raw.rawHeaders)
    const peer = addresses.peer(request.raw.socket)
    const address = addresses.client(peer, headers.forwardedFor)
    const verdict = await judge.judge(headers, address, question)
    const { code, credential, quota } = verdict
    if (quota) reply.headers(quotaHeaders(quota))
    if (code === 'allowed') {
      request.setDecorator('caller', credential)
      return
    }
    denials.write({ requestId: request.id, code, address, credential }, Date.now())
    const challenge = challengeFor(code, question.scopes)
    if (challenge !== undefined) reply.header('www-authenticate', challenge)
    if (code === 'rate_limited') reply.header('retry-after', quota?.reset ?? 1)
    await reply.code(statusOf(code)).type(problemMediaType).send(problem(code, request.id))
  }
}

/** Who asks, on a route that requires a scope. */
export function callerOf(request: FastifyRequest): Credential {
  return request.getDecorator<Credential>('caller')
}
