import type { FastifyInstance } from 'fastify'
import { readJson } from '../json.ts'

/** Has a context take JSON, and nothing else. */
export function registerJson(context: FastifyInstance): void {
  context.removeAllContentTypeParsers()
  context.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    async (_request: unknown, body: string | Buffer) => readJson(Buffer.from(body)),
  )
}
