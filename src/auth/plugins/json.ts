import type { FastifyInstance } from 'fastify'
import { readJson } from '../json.ts'
import { RefusalError } from '../refusal.ts'

/** A body came that is of another media type, or does not say of which. */
export function jsonExpected(): RefusalError {
  const details = ['Send JSON, and say so with the header "Content-Type: application/json".']
  return new RefusalError('unsupported_media_type', { details })
}

/** Has a context take JSON, and nothing else. */
export function registerJson(context: FastifyInstance): void {
  context.removeAllContentTypeParsers()
  context.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    async (_request: unknown, body: string | Buffer) => readJson(Buffer.from(body)),
  )
  context.addContentTypeParser('*', async () => {
    throw jsonExpected()
  })
}
