import type { FastifyInstance } from 'fastify'

/**
 * Takes a media type for nothing where no body comes with it. Such a request has nothing to be read, and for our server not even
 * an end of it to wait for: whoever parsed it would wait for ever.
 */
export function registerEmptyBodies(framework: FastifyInstance): void {
  framework.addHook('preParsing', async ({ raw: { headers } }) => {
    if (headers['transfer-encoding'] !== undefined) return
    if (Number(headers['content-length'] ?? 0) === 0) delete headers['content-type']
  })
}
