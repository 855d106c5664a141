import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { ApiKeyCredential } from '../index/credential.ts'
import {
  type AuthenticationOptions,
  callerOf,
  requireScopeThat,
  turnAway,
} from '../plugins/authentication.ts'
import { registerJson } from '../plugins/json.ts'
import type { Resolution, ResolveRequest, Vault, VaultRefusal } from '../vault/vault.ts'
import { bodyOf } from './body.ts'
import { resourceName } from './field.ts'

/** For every provider; with `:` and the name of one behind it, for that one. */
export const resolveScope = 'provider-credentials:resolve'

/** Strict: whoever sends the credential itself is refused, so that it is nowhere taken in. */
export const resolveRequest = z.strictObject({
  provider: resourceName.describe('The provider, as the ProviderCredential names it.'),
  project: resourceName
    .optional()
    .describe(
      'The name of the project that the request is for. Left out: the project of the key, or else the organization as a whole.',
    ),
  own: z
    .boolean()
    .optional()
    .describe(
      'Whether whoever the workload acts for brought a credential of their own; never the credential itself. Left out: false.',
    ),
})

const own = z.object({ use: z.literal('own').describe('Use the one that was brought.') })
const fromVault = z.object({
  use: z.literal('vault'),
  credential: z.object({
    id: z.string().describe('The id of the ProviderCredential.'),
    provider: z.string(),
    version: z.int().min(1),
    fingerprint: z.string().describe('The same as in the status of the resource.'),
    value: z.string().describe('The value. Keep it no longer than the request takes.'),
  }),
})
export const resolveResponse = z.union([own, fromVault])

/** Seconds: the key managers are left alone for as long after they failed. */
const retryAfter: Partial<Readonly<Record<VaultRefusal, number>>> = {
  key_management_unavailable: 5,
  provider_credential_unreadable: 5,
  vault_unavailable: 1,
}

export interface ProviderCredentialOptions extends AuthenticationOptions {
  /** Undefined where the settings name no key management service. */
  readonly vault: Vault | undefined
}

export function registerProviderCredentials(
  framework: FastifyInstance,
  options: ProviderCredentialOptions,
): void {
  const { vault } = options
  const mayDo = (scope: string) => scope === resolveScope || scope.startsWith(`${resolveScope}:`)
  // In a context of its own: this route takes JSON alone, and no other does.
  void framework.register(async (context) => {
    registerJson(context)
    context.post('/v1/provider-credentials/resolve', {
      onRequest: requireScopeThat(mayDo, resolveScope, options),
      handler: async (request, reply) => {
        const body = bodyOf(request, resolveRequest)
        const credential = callerOf(request)
        const resolution = await answer(vault, credential, body, request.id)
        if (resolution.use) return resolution
        const { code } = resolution
        const scope = `${resolveScope}:${body.provider}`
        const refusal = { code, credential, scope, retryAfter: retryAfter[code] }
        return turnAway(request, reply, refusal, options)
      },
    })
  })
}

async function answer(
  vault: Vault | undefined,
  caller: ApiKeyCredential,
  { provider, project: asked, own: brought = false }: z.infer<typeof resolveRequest>,
  requestId: string,
): Promise<Resolution> {
  if (!vault) return { code: 'vault_unavailable' }
  const refused = objection(caller, provider, asked)
  const project = projectOf(caller, asked)
  const request: ResolveRequest = { caller, provider, project, own: brought, requestId }
  return refused === undefined ? vault.resolve(request) : vault.refuse(request, refused)
}

/** Why a caller may not ask this; the project before the scope, in the order of the check. */
function objection(
  caller: ApiKeyCredential,
  provider: string,
  project: string | undefined,
): 'project_not_allowed' | 'insufficient_scope' | undefined {
  if (project !== undefined && projectOf(caller, project)?.name !== project) {
    return 'project_not_allowed'
  }
  const { scopes } = caller.policy
  const may = scopes.includes(resolveScope) || scopes.includes(`${resolveScope}:${provider}`)
  return may ? undefined : 'insufficient_scope'
}

/** The project that a request is for: that of the key, or the one that it names. */
function projectOf({ tenant, project }: ApiKeyCredential, asked: string | undefined) {
  const found = project ?? (asked === undefined ? undefined : tenant.projectByName(asked))
  return found?.name === undefined ? undefined : { id: found.id, name: found.name }
}
