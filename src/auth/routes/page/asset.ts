import type { FastifyInstance } from 'fastify'
import { assets } from '../../../web/asset.ts'

/** Seconds: a year. What has another content has another name. */
const lifetime = 31_536_000

export function registerAssets(context: FastifyInstance): void {
  for (const { path, mediaType, content } of assets) {
    context.get(path, async (_request, reply) => {
      reply.header('cache-control', `public, max-age=${lifetime}, immutable`)
      return reply.type(mediaType).send(content)
    })
  }
}
