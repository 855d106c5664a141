import type { APIKey } from '../../api/v1alpha1/apikey.ts'
import { type ApiKeyRow, apiKeyStore } from '../../db/apikey.ts'
import { readDuration } from '../../domain/duration.ts'
import type { Concept } from '../declare.ts'

export const apiKeyConcept: Concept<ApiKeyRow> = { name: 'api_key', store: apiKeyStore }

/** The row's values that the spec rules. */
export function apiKeyValues(apiKey: APIKey, projectId: string | undefined): Partial<ApiKeyRow> {
  const { spec } = apiKey
  return {
    projectId: projectId ?? null,
    description: spec.description ?? null,
    scopes: spec.scopes,
    allowedCidrs: spec.allowedCIDRs ?? [],
    allowedOrigins: spec.allowedOrigins ?? [],
    rateLimitRequests: spec.rateLimit?.requests ?? null,
    rateLimitWindow: spec.rateLimit ? (readDuration(spec.rateLimit.per) ?? null) : null,
    rateLimitBurst: spec.rateLimit?.burst ?? null,
    expiresAt: spec.expiresAt === undefined ? null : new Date(spec.expiresAt),
  }
}
