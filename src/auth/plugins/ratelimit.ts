import { hash } from 'node:crypto'
import { callbackify } from 'node:util'
import rateLimit, { type FastifyRateLimitStore } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { canonicalEmail } from '../../domain/email.ts'
import { networkOfClient } from '../../domain/lockout.ts'
import type { ClientAddresses } from '../check/clientaddress.ts'
import type { SessionCredential } from '../index/session.ts'
import type { Windows } from '../ratelimit/window.ts'
import { RefusalError } from '../refusal.ts'
import { addressOf } from './client.ts'

export interface RateLimitOptions {
  readonly windows: Windows
  readonly addresses: ClientAddresses
}

/** Milliseconds. */
const minute = 60_000
/** In a minute. Behind one address there may be a company. */
const most = { read: 600, change: 120, account: 60, person: 60, password: 10 } as const
/** As many times as much where a proxy does not say who asks: all of its clients share one limit. */
const crowd = 10

type Limiter = ReturnType<FastifyInstance['createRateLimit']>

/** Where people change their password, which is work for the processes that hash. */
const passwordRoutes = new Set(['/api/auth/password', '/account/password'])

/**
 * Limits the changes of whoever is signed in by who they are, wherever they ask from, and everything of whoever is not: by the
 * client's network, before a body is read, and then by the account that the body names, for each network apart. A limit of an account that all networks shared would be anybody's to use up, and shut its
 * owner out; what all of them do to one account is bounded where it is known whose device asks, in PostgreSQL.
 */
export async function registerRateLimits(
  framework: FastifyInstance,
  { windows, addresses }: RateLimitOptions,
): Promise<void> {
  await framework.register(rateLimit, { global: false, store: storeOf(windows) })
  const byAddress = framework.createRateLimit({
    timeWindow: minute,
    max: (request) => limitOf(request, addressOf(request, addresses)),
    keyGenerator: (request) => {
      const address = addressOf(request, addresses)
      return `${isRead(request) ? 'read' : 'change'}:${address === undefined ? '' : networkOfClient(address)}`
    },
  })
  const byAccount = framework.createRateLimit({
    timeWindow: minute,
    max: most.account,
    keyGenerator: (request) =>
      `account:${hash('sha256', accountOf(request, addresses) ?? '', 'base64url')}`,
  })
  const byPerson = framework.createRateLimit({
    timeWindow: minute,
    max: most.person,
    keyGenerator: (request) => `person:${userOf(request)}`,
  })
  const byOwner = framework.createRateLimit({
    timeWindow: minute,
    max: most.password,
    keyGenerator: (request) => `password:${userOf(request)}`,
  })
  framework.addHook('preParsing', async (request, reply) => {
    if (userOf(request) === undefined) return limit(byAddress, 'address', request, reply)
    if (isRead(request)) return
    await limit(byPerson, 'person', request, reply)
    if (passwordRoutes.has(request.routeOptions.url ?? '')) {
      await limit(byOwner, 'password', request, reply)
    }
  })
  framework.addHook('preHandler', async (request, reply) => {
    if (userOf(request) !== undefined || accountOf(request, addresses) === undefined) return
    await limit(byAccount, 'account', request, reply)
  })
}

/** draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4. */
async function limit(
  limiter: Limiter,
  name: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const state = await limiter(request)
  if (state.isAllowed) return
  const { max, remaining, ttlInSeconds, isExceeded } = state
  reply.header('ratelimit-policy', `"${name}";q=${max};w=${minute / 1000}`)
  reply.header('ratelimit', `"${name}";r=${remaining};t=${ttlInSeconds}`)
  if (isExceeded) throw new RefusalError('too_many_requests', { retryAfter: ttlInSeconds })
}

function limitOf(request: FastifyRequest, address: string | undefined): number {
  const limited = isRead(request) ? most.read : most.change
  return address === undefined ? limited * crowd : limited
}

function isRead({ method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD'
}

/** The id of the user who is signed in, which no other user of any organization has. */
function userOf(request: FastifyRequest): string | undefined {
  return request.getDecorator<SessionCredential | null>('session')?.user.id
}

/**
 * The account that a body names, in its one spelling, and the network that asks. Undefined where it names none, and where it
 * cannot be told who asks: everybody would share one limit of an account.
 */
function accountOf(request: FastifyRequest, addresses: ClientAddresses): string | undefined {
  const { body } = request
  const named =
    typeof body === 'object' && body !== null && 'email' in body ? body.email : undefined
  const email = typeof named === 'string' ? canonicalEmail(named) : undefined
  const address = addressOf(request, addresses)
  if (email === undefined || address === undefined) return undefined
  return `${networkOfClient(address)} ${email}`
}

/** Our counts in the shape of the plugin's. */
function storeOf(windows: Windows): new () => FastifyRateLimitStore {
  const add = callbackify(async (key: string, length: number) => {
    const { count, rest } = await windows.add(key, length)
    return { current: count, ttl: rest }
  })
  return class Store implements FastifyRateLimitStore {
    incr(key: string, callback: Parameters<typeof add>[2], timeWindow: number): void {
      add(key, timeWindow, callback)
    }

    child(): this {
      return this
    }
  }
}
