import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { isLive } from '../check/decide.ts'
import type { CredentialLookup } from '../check/lookup.ts'
import type { WallClock } from '../clock.ts'
import { formMediaType, InvalidRequestError, readForm } from '../form.ts'
import type { Credential } from '../index/credential.ts'
import { type AuthenticationOptions, callerOf, requireScope } from '../plugins/authentication.ts'

export const introspectionScope = 'cardea:introspect'

/** RFC 7662, section 2.1. Other parameters are passed over (RFC 6749, section 3.2). */
export const introspectionRequest = z.object({
  token: z.string().min(1).max(4096).describe('The credential to look at.'),
  token_type_hint: z
    .string()
    .max(128)
    .optional()
    .describe('What kind of credential it is. Cardea can tell without.'),
})

const inactive = z.object({ active: z.literal(false) })
const active = z.object({
  active: z.literal(true),
  scope: z.string().describe('Its scopes, separated by spaces.'),
  client_id: z.string().describe('The id of the API key.'),
  sub: z.string().describe('The name of the API key.'),
  token_type: z.literal('Bearer'),
  iat: z.int().describe('When the API key was made, in seconds since 1970.'),
  exp: z.int().optional().describe('When it ends, in seconds since 1970. Absent: never.'),
  organization: z.string().describe('The name of the organization.'),
  project: z.string().optional().describe('The name of the project that it is confined to.'),
  roles: z.array(z.string()).describe('The roles that it has there.'),
})
/** RFC 7662, section 2.2. */
export const introspectionResponse = z.union([active, inactive])
type Introspection = z.infer<typeof introspectionResponse>

export interface IntrospectionOptions extends AuthenticationOptions {
  readonly lookup: CredentialLookup
  readonly clock: WallClock
}

export function registerIntrospection(
  framework: FastifyInstance,
  options: IntrospectionOptions,
): void {
  framework.addContentTypeParser(
    formMediaType,
    { parseAs: 'string' },
    async (_request: unknown, body: string | Buffer) => readForm(body.toString()),
  )
  framework.post('/oauth2/introspect', {
    onRequest: requireScope(introspectionScope, options),
    handler: async (request): Promise<Introspection> => {
      const form = introspectionRequest.safeParse(request.body)
      if (!form.success) throw new InvalidRequestError('the form has no token')
      const now = options.clock.now()
      const credential = await options.lookup.find(form.data.token, now, performance.now())
      return introspect(credential, callerOf(request), now)
    },
  })
}

/** What a caller may know of a credential: only of one that it could be shown by a client of its own. */
function introspect(
  credential: Credential | undefined,
  caller: Credential,
  now: number,
): Introspection {
  if (credential === undefined || !isLive(credential, now)) return { active: false }
  const { tenant, project, policy } = credential
  // Another organization's credential is like one that does not exist.
  if (tenant.id !== caller.tenant.id) return { active: false }
  if (project) {
    if (project.name === undefined) return { active: false }
    if (caller.project && caller.project.id !== project.id) return { active: false }
  }
  return {
    active: true,
    scope: policy.scope,
    client_id: credential.apiKeyId,
    sub: credential.name,
    token_type: 'Bearer',
    iat: credential.issuedAt,
    ...(Number.isFinite(credential.expiresAt) && { exp: Math.floor(credential.expiresAt / 1000) }),
    organization: tenant.name ?? '',
    ...(project?.name !== undefined && { project: project.name }),
    roles: [...credential.rolesOn(project).roles],
  }
}
