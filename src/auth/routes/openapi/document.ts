import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { sessionCookie } from '../../../domain/session.ts'
import { problemCodes } from '../../problem.ts'
import { accountPaths } from './account.ts'
import { checkPaths, checkResponse } from './check.ts'
import { schemaOf } from './operation.ts'
import { organizationPaths } from './organization.ts'
import { programPaths } from './program.ts'

const problemSchema = z
  .object({
    type: z.url(),
    title: z.string(),
    status: z.int().min(400).max(599),
    code: z.enum(problemCodes).describe('For programs; it never changes.'),
    requestId: z.string(),
    details: z
      .array(z.string())
      .optional()
      .describe('For people, where there is more to say: which rule a password breaks.'),
  })
  .describe('A problem (RFC 9457).')

export interface OpenApiOptions {
  readonly version: string
  /** Whether people sign in here; otherwise their routes are not there. */
  readonly people: boolean
}

/** Serves a description of the routes that are no pages, as OpenAPI 3.1. Asking for it needs no credential: it is the same for everybody. */
export function registerOpenApi(framework: FastifyInstance, options: OpenApiOptions): void {
  const document = JSON.stringify(openApiDocument(options))
  framework.get('/openapi.json', async (_request, reply) => {
    return reply.type('application/json').send(document)
  })
}

/** From the schemas that the routes themselves use. */
function openApiDocument({ version, people }: OpenApiOptions): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Cardea',
      description: 'Who is this, for which organization, and may they?',
      version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths: {
      ...checkPaths,
      ...programPaths,
      ...(people && { ...accountPaths, ...organizationPaths }),
    },
    components: {
      securitySchemes: {
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'An API key, or an access token.',
        },
        cookie: { type: 'apiKey', in: 'cookie', name: sessionCookie },
      },
      schemas: { Problem: schemaOf(problemSchema), Check: schemaOf(checkResponse) },
    },
  }
}
