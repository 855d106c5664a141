import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { accessTokenClient } from '../../domain/accesstoken.ts'
import { isLive } from '../check/decide.ts'
import type { Identities } from '../check/identities.ts'
import type { WallClock } from '../clock.ts'
import { formMediaType, readForm } from '../form.ts'
import type { ApiKeyCredential, Credential } from '../index/credential.ts'
import type { SessionCredential } from '../index/session.ts'
import { type AuthenticationOptions, callerOf, requireScope } from '../plugins/authentication.ts'
import { bodyOf } from './body.ts'

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
  client_id: z.string().describe('The id of the API key; of an access token, cardea.'),
  sub: z.string().describe("The name of the API key; of an access token, the person's id."),
  username: z.string().optional().describe("The person's address. Absent: it is an API key."),
  jti: z.string().optional().describe('The id of the access token. Absent: it is an API key.'),
  token_type: z.literal('Bearer'),
  iat: z.int().min(0).describe('When it was made, in seconds since 1970.'),
  exp: z.int().min(0).optional().describe('When it ends, in seconds since 1970. Absent: never.'),
  organization: z.string().describe('The name of the organization.'),
  project: z.string().optional().describe('The name of the project that it is confined to.'),
  roles: z.array(z.string()).describe('The roles that it has there.'),
})
/** RFC 7662, section 2.2. */
export const introspectionResponse = z.union([active, inactive])
type Introspection = z.infer<typeof introspectionResponse>

export interface IntrospectionOptions extends AuthenticationOptions {
  readonly identities: Identities
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
      const { token } = bodyOf(request, introspectionRequest)
      const now = options.clock.now()
      // As a client would present it: a session's cookie is nothing that anybody but its browser has.
      const presented = { carrier: 'bearer', text: token } as const
      const credential = await options.identities.of(presented, now, performance.now())
      return introspect(credential, callerOf(request), now)
    },
  })
}

/** What a caller may know of a credential: only of one that it could be shown by a client of its own. */
function introspect(
  credential: Credential | undefined,
  caller: ApiKeyCredential,
  now: number,
): Introspection {
  if (credential === undefined || !isLive(credential, now)) return { active: false }
  // Another organization's credential is like one that does not exist.
  if (credential.tenant.id !== caller.tenant.id) return { active: false }
  return credential.kind === 'APIKey'
    ? introspectApiKey(credential, caller)
    : introspectSession(credential, caller)
}

function introspectApiKey(credential: ApiKeyCredential, caller: ApiKeyCredential): Introspection {
  const { tenant, project, policy } = credential
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

/** A key of a project is told of the people who have a role there. */
function introspectSession(credential: SessionCredential, caller: ApiKeyCredential): Introspection {
  const { token, user, tenant } = credential
  const { roles } = credential.rolesOn(caller.project)
  if (!token || (caller.project && roles.length === 0)) return { active: false }
  const { jti, iat, exp } = token
  return {
    active: true,
    scope: '',
    client_id: accessTokenClient,
    sub: user.id,
    username: user.email,
    jti,
    token_type: 'Bearer',
    iat,
    exp,
    organization: tenant.name ?? '',
    ...(caller.project?.name !== undefined && { project: caller.project.name }),
    roles: [...roles],
  }
}
