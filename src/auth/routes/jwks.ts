import type { FastifyInstance } from 'fastify'
import { UnavailableError } from '../check/readthrough.ts'
import type { Jwks } from '../jwks.ts'

/** Seconds. Shorter than the time that a key is published before it signs. */
const maxAge = 300

/** The public signing keys (RFC 7517, section 5). */
export function registerJwks(framework: FastifyInstance, { jwks }: { readonly jwks: Jwks }): void {
  framework.get('/.well-known/jwks.json', async (request, reply) => {
    const { current } = jwks
    if (!current) throw new UnavailableError('the signing keys were not read yet', true)
    reply.headers({ 'cache-control': `public, max-age=${maxAge}`, etag: current.etag })
    if (request.headers['if-none-match'] === current.etag) return reply.code(304).send()
    return reply.type('application/jwk-set+json').send(current.body)
  })
}
