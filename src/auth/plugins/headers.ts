import helmet from '@fastify/helmet'
import type { FastifyInstance } from 'fastify'

/** Nothing of an answer that is data may do anything, wherever it is shown. */
const dataPolicy = { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] }
/** A page has its own styles, images and forms, and no script at all. */
const pagePolicy =
  "default-src 'none';style-src 'self';img-src 'self';font-src 'self';form-action 'self';base-uri 'none';object-src 'none';frame-ancestors 'none'"
const year = 31_536_000

/** The same for answers to what never gets to the hooks, because it cannot be read. */
export const bareHeaders = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none';frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': `max-age=${2 * year}; includeSubDomains`,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const

/** Tells browsers with each answer what they must not do with it (ASVS 3.4). */
export function registerHeaders(framework: FastifyInstance): void {
  void framework.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: dataPolicy },
    crossOriginOpenerPolicy: { policy: 'same-origin' },
    crossOriginResourcePolicy: { policy: 'same-origin' },
    frameguard: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
    strictTransportSecurity: { maxAge: 2 * year, includeSubDomains: true },
  })
  framework.addHook('onSend', async (_request, reply) => {
    if (!String(reply.getHeader('content-type')).startsWith('text/html')) return
    reply.header('content-security-policy', pagePolicy)
    // With no-referrer, a browser says of the forms of our own pages that their origin is null (Fetch, section 3.2).
    reply.header('referrer-policy', 'same-origin')
  })
}
