import { z } from 'zod'
import type { ProblemCode } from '../../problem.ts'
import {
  introspectionRequest,
  introspectionResponse,
  introspectionScope,
} from '../introspection.ts'
import { resolveRequest, resolveResponse, resolveScope } from '../providercredential.ts'
import { operation, type Paths } from './operation.ts'

const edges: readonly ProblemCode[] = ['invalid_request', 'https_required', 'internal']
const authentication: readonly ProblemCode[] = [
  'credential_missing',
  'credential_invalid',
  'address_not_allowed',
  'origin_not_allowed',
  'insufficient_scope',
  'csrf_refused',
  'body_too_large',
  'unsupported_media_type',
  'rate_limited',
  'unavailable',
]

const keySet = z.object({ keys: z.array(z.looseObject({})) })

/** What programs ask. */
export const programPaths: Paths = {
  '/oauth2/introspect': {
    post: operation({
      id: 'introspect',
      summary: 'Look at a credential (RFC 7662)',
      description: `The caller authenticates with an API key that has the scope ${introspectionScope}.`,
      by: 'program',
      form: introspectionRequest,
      answers: { 200: ['Whether it is active, and if so what it is.', introspectionResponse] },
      problems: [...edges, ...authentication],
    }),
  },
  '/v1/provider-credentials/resolve': {
    post: operation({
      id: 'resolveProviderCredential',
      summary: 'Get the credential of a third party for a request',
      description: `The caller authenticates with an API key that has the scope ${resolveScope}, or ${resolveScope}:PROVIDER for one provider. A refusal is for whoever the caller acts for: its code can be passed on.`,
      by: 'program',
      json: resolveRequest,
      answers: { 200: ['Which credential to use.', resolveResponse] },
      problems: [
        ...edges,
        ...authentication,
        'project_not_allowed',
        'own_credential_not_allowed',
        'own_credential_required',
        'provider_credential_not_found',
        'vault_unavailable',
        'key_management_unavailable',
        'provider_credential_unreadable',
      ],
    }),
  },
  '/.well-known/jwks.json': {
    get: operation({
      id: 'jwks',
      summary: 'The public signing keys (RFC 7517)',
      by: 'anybody',
      answers: {
        200: ['The key set. It may be kept for as long as its Cache-Control says.', keySet],
        304: 'It is the one of the If-None-Match.',
      },
      problems: [...edges, 'unavailable'],
    }),
  },
  '/openapi.json': {
    get: operation({
      id: 'openApi',
      summary: 'This document',
      by: 'anybody',
      answers: { 200: ['OpenAPI 3.1', z.looseObject({})] },
      problems: edges,
    }),
  },
}
