import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { formMediaType } from '../form.ts'
import { type ProblemCode, problemCodes, problemMediaType, statusOf } from '../problem.ts'
import { introspectionRequest, introspectionResponse, introspectionScope } from './introspection.ts'
import { resolveRequest, resolveResponse, resolveScope } from './providercredential.ts'

const checkResponse = z
  .object({
    organization: z.string().describe('The name of the organization.'),
    project: z.string().nullable().describe('The name of the project; null: the organization.'),
    subject: z.string().describe('Who sent the request: the name of the API key.'),
    subjectKind: z.enum(['APIKey']),
    roles: z.array(z.string()),
    scopes: z.array(z.string()),
    credentialId: z.string().describe('The id of the secret that was presented.'),
  })
  .describe('Who sent the request. The x-cardea-* headers say the same.')

const problemSchema = z
  .object({
    type: z.url(),
    title: z.string(),
    status: z.int(),
    code: z.enum(problemCodes).describe('For programs; it never changes.'),
    requestId: z.string(),
  })
  .describe('A problem (RFC 9457).')

const questions = {
  scope: 'Scopes that the credential must have, all of them, separated by spaces.',
  permission: 'A permission, resource:verb, that the roles of the subject must give.',
  project: 'The name of the project that the request is about.',
}

const identityHeaders = {
  'x-cardea-organization': 'The name of the organization.',
  'x-cardea-project': 'The name of the project; empty: the organization.',
  'x-cardea-subject': 'The name of the API key.',
  'x-cardea-subject-kind': 'APIKey.',
  'x-cardea-roles': 'The roles, separated by commas.',
  'x-cardea-scopes': 'The scopes, separated by spaces.',
  'x-cardea-credential-id': 'The id of the secret that was presented.',
}

const checkProblems: readonly ProblemCode[] = [
  'bad_question',
  'credential_missing',
  'credential_invalid',
  'address_not_allowed',
  'origin_not_allowed',
  'project_not_allowed',
  'insufficient_scope',
  'permission_denied',
  'body_too_large',
  'rate_limited',
  'unavailable',
]

/** Describes the public routes as OpenAPI 3.1, from the schemas that the routes themselves use. */
function openApiDocument(version: string): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Cardea',
      description: 'Who is this, for which organization, and may they?',
      version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    security: [{ apiKey: [] }, { bearer: [] }],
    paths: {
      '/check': { get: check('check', 'Judge a request', parameters(questions, 'query')) },
      '/check/{path}': {
        get: check('checkPath', 'Judge a request of Envoy, which appends the original path', [
          {
            name: 'path',
            in: 'path',
            required: true,
            description: 'The original path. It and its query ask nothing of Cardea.',
            schema: { type: 'string' },
          },
        ]),
      },
      '/oauth2/introspect': { post: introspection() },
      '/v1/provider-credentials/resolve': { post: resolution() },
      '/.well-known/jwks.json': { get: jwks() },
      '/openapi.json': {
        get: {
          operationId: 'openApi',
          summary: 'This document',
          security: [],
          responses: { 200: { description: 'OpenAPI 3.1', content: json({ type: 'object' }) } },
        },
      },
    },
    components: {
      securitySchemes: {
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        bearer: { type: 'http', scheme: 'bearer' },
      },
      schemas: { Problem: schemaOf(problemSchema), Check: schemaOf(checkResponse) },
    },
  }
}

/** Serves the document. Asking for it needs no credential: it is the same for everybody. */
export function registerOpenApi(framework: FastifyInstance, version: string): void {
  const document = JSON.stringify(openApiDocument(version))
  framework.get('/openapi.json', async (_request, reply) => {
    return reply.type('application/json').send(document)
  })
}

function check(operationId: string, summary: string, parameterList: object[]): object {
  return {
    operationId,
    summary,
    description:
      'Every method is answered alike, because proxies pass on the method of the original request.',
    parameters: parameterList,
    responses: {
      200: {
        description: 'It may pass.',
        headers: Object.fromEntries(
          Object.entries(identityHeaders).map(([name, description]) => [
            name,
            { description, schema: { type: 'string' } },
          ]),
        ),
        content: json({ $ref: '#/components/schemas/Check' }),
      },
      ...problems(checkProblems),
    },
  }
}

function jwks(): object {
  return {
    operationId: 'jwks',
    summary: 'The public signing keys (RFC 7517)',
    description:
      'Keys are published before they sign. A token whose kid is not here yet is worth one look more, and not one a token.',
    security: [],
    responses: {
      200: {
        description: 'A JWK set. It may be cached for five minutes.',
        content: {
          'application/jwk-set+json': {
            schema: {
              type: 'object',
              required: ['keys'],
              properties: { keys: { type: 'array', items: { type: 'object' } } },
            },
          },
        },
      },
      304: { description: 'It is the one of the If-None-Match.' },
      ...problems(['unavailable']),
    },
  }
}

function introspection(): object {
  return {
    operationId: 'introspect',
    summary: 'Look at a credential (RFC 7662)',
    description: `The caller authenticates with an API key that has the scope ${introspectionScope}.`,
    requestBody: {
      required: true,
      content: { [formMediaType]: { schema: schemaOf(introspectionRequest) } },
    },
    responses: {
      200: {
        description: 'Whether it is active, and if so what it is.',
        content: json(schemaOf(introspectionResponse)),
      },
      ...problems([
        'invalid_request',
        'credential_missing',
        'insufficient_scope',
        'body_too_large',
        'unsupported_media_type',
        'rate_limited',
        'unavailable',
      ]),
    },
  }
}

function resolution(): object {
  return {
    operationId: 'resolveProviderCredential',
    summary: 'Get the credential of a third party for a request',
    description: `The caller authenticates with an API key that has the scope ${resolveScope}, or ${resolveScope}:PROVIDER for one provider. A refusal is for whoever the caller acts for: its code can be passed on.`,
    requestBody: { required: true, content: json(schemaOf(resolveRequest)) },
    responses: {
      200: { description: 'Which credential to use.', content: json(schemaOf(resolveResponse)) },
      ...problems([
        'invalid_request',
        'credential_missing',
        'credential_invalid',
        'address_not_allowed',
        'origin_not_allowed',
        'project_not_allowed',
        'insufficient_scope',
        'own_credential_not_allowed',
        'own_credential_required',
        'provider_credential_not_found',
        'body_too_large',
        'unsupported_media_type',
        'rate_limited',
        'unavailable',
        'vault_unavailable',
        'key_management_unavailable',
        'provider_credential_unreadable',
      ]),
    },
  }
}

/** One answer for each status; which codes it may have is in its description. */
function problems(codes: readonly ProblemCode[]): Record<number, object> {
  const byStatus = Map.groupBy(codes, statusOf)
  return Object.fromEntries(
    [...byStatus].map(([status, alike]) => [
      status,
      {
        description: alike.join(', '),
        content: { [problemMediaType]: { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    ]),
  )
}

function parameters(described: Record<string, string>, place: string): object[] {
  return Object.entries(described).map(([name, description]) => ({
    name,
    in: place,
    description,
    schema: { type: 'string' },
  }))
}

function json(schema: object): object {
  return { 'application/json': { schema } }
}

function schemaOf(schema: z.ZodType): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: 'draft-2020-12', io: 'output' })
  return rest
}
