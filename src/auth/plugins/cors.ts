import cors from '@fastify/cors'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Credential } from '../index/credential.ts'

/** Seconds for which a browser need not ask again. */
const maxAge = 600

/**
 * Answers browsers that ask before they send something for a page of another origin. They may where any organization names
 * the origin as one of its own: who it is that asks, they do not say yet.
 */
export async function registerPreflight(
  framework: FastifyInstance,
  { isOrigin }: { readonly isOrigin: (origin: string) => boolean },
): Promise<void> {
  await framework.register(cors, {
    delegator: (request, callback) => {
      callback(null, {
        origin: isPreflight(request) && isOrigin(request.headers.origin ?? ''),
        credentials: true,
        methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
        allowedHeaders: ['Authorization', 'Content-Type', 'X-API-Key'],
        maxAge,
      })
    },
  })
}

/** Lets the pages of an origin read an answer that its own organization asked for, and no other. */
export function registerSharing(framework: FastifyInstance): void {
  framework.addHook('onSend', async (request, reply) => {
    const { origin } = request.headers
    if (origin === undefined) return
    // Somewhere between, an answer for one origin must not be kept for another.
    reply.header('vary', 'origin')
    if (!callersOrigins(request).includes(origin)) return
    reply.headers({
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'RateLimit, RateLimit-Policy, Retry-After, X-Request-Id',
    })
  })
}

/** RFC 9110 has no preflights: Fetch, section 3.2.2. */
function isPreflight({ method, headers }: FastifyRequest): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined
}

/** The origins of the organization of whoever is known to ask. */
function callersOrigins(request: FastifyRequest): readonly string[] {
  const session = request.getDecorator<Credential | null>('session')
  const caller = session ?? request.getDecorator<Credential | null>('caller')
  return caller?.tenant.origins ?? []
}
