import { z } from 'zod'
import type { ProblemCode } from '../../problem.ts'
import { json, type Paths, parameters, problems } from './operation.ts'

export const checkResponse = z
  .object({
    organization: z.string().describe('The name of the organization.'),
    project: z.string().nullable().describe('The name of the project; null: the organization.'),
    subject: z
      .string()
      .describe('Who sent the request: the name of the API key, or the address of the person.'),
    subjectKind: z.enum(['APIKey', 'User']),
    subjectId: z.string().describe('The id of the API key, or of the person.'),
    roles: z.array(z.string()),
    scopes: z.array(z.string()).describe('Of an API key; people have none.'),
    credentialId: z.string().describe('The id of the secret, or of the session.'),
  })
  .describe('Who sent the request. The x-cardea-* headers say the same.')

const questions = {
  scope:
    'Scopes that the credential must have, all of them, separated by spaces. Of a person, permissions that their roles must give.',
  permission: 'A permission, resource:verb, that the roles of the subject must give.',
  project: 'The name of the project that the request is about.',
}

const identityHeaders = {
  'x-cardea-organization': 'The name of the organization.',
  'x-cardea-project': 'The name of the project; empty: the organization.',
  'x-cardea-subject': 'The name of the API key, or the address of the person.',
  'x-cardea-subject-kind': 'APIKey or User.',
  'x-cardea-subject-id': 'The id of the API key, or of the person.',
  'x-cardea-roles': 'The roles, separated by commas.',
  'x-cardea-scopes': 'The scopes, separated by spaces.',
  'x-cardea-credential-id': 'The id of the secret, or of the session.',
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

/** The request-time decision. */
export const checkPaths: Paths = {
  '/check': { get: check('check', 'Judge a request', parameters(questions, 'query')) },
  '/check/{path}': {
    get: check(
      'checkPath',
      'Judge a request of Envoy, which appends the original path',
      parameters({ path: 'The original path. It and its query ask nothing of Cardea.' }, 'path'),
    ),
  },
}

function check(operationId: string, summary: string, parameterList: object[]): object {
  return {
    operationId,
    summary,
    description:
      'Every method is answered alike, because proxies pass on the method of the original request.',
    security: [{ apiKey: [] }, { bearer: [] }, { cookie: [] }],
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
