import { randomUUID } from 'node:crypto'
import type {
  IndexedApiKey,
  IndexedOrganization,
  IndexedSession,
} from '../../../src/db/credentialindex.ts'
import { digestApiKey } from '../../../src/domain/apikey.ts'

export interface PolicyFields {
  readonly scopes?: readonly string[]
  readonly cidrs?: readonly string[]
  readonly origins?: readonly string[]
  /** Requests, milliseconds, burst. */
  readonly rateLimit?: readonly [requests: number, window: number, burst: number | null]
}

/** The text of a policy, as the database puts it. */
export function aPolicy({ scopes, cidrs, origins, rateLimit }: PolicyFields = {}): string {
  return JSON.stringify([
    scopes ?? [],
    cidrs ?? [],
    origins ?? [],
    ...(rateLimit ?? [null, null, null]),
  ])
}

/** One live secret as the index loads it; its key's text is `text`. */
export function anIndexedApiKey(
  fields: Partial<IndexedApiKey> & { readonly text?: string } = {},
): IndexedApiKey {
  const { text = randomUUID(), ...rest } = fields
  return {
    organizationId: 'organization',
    id: 'key',
    name: 'ci',
    projectId: null,
    policy: aPolicy(),
    secretId: randomUUID(),
    digest: digestApiKey(text),
    imported: false,
    createdAt: 0,
    expiresAt: null,
    ...rest,
  }
}

/** A live organization as the index loads it. */
export function anIndexedOrganization(
  fields: Partial<IndexedOrganization> = {},
): IndexedOrganization {
  return {
    id: 'organization',
    name: 'acme',
    displayName: 'Acme Inc.',
    domains: [],
    owners: [],
    origins: [],
    sessionsRevokedBefore: null,
    ...fields,
  }
}

/** A session of a browser as the index loads it; its cookie's text is `text`. It ends, and idles, in the far future. */
export function anIndexedSession(
  fields: Partial<IndexedSession> & { readonly text?: string } = {},
): IndexedSession {
  const { text = randomUUID(), ...rest } = fields
  return {
    organizationId: 'organization',
    id: randomUUID(),
    userId: 'user',
    kind: 'browser',
    digest: digestApiKey(text),
    email: 'ann@acme.example',
    groups: [],
    active: true,
    revokedBefore: null,
    authenticatedAt: 0,
    lastSeenAt: 0,
    idleTimeout: 1_000_000_000,
    expiresAt: 4_000_000_000_000,
    ...rest,
  }
}
