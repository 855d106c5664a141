import { randomUUID } from 'node:crypto'
import type { IndexedApiKey } from '../../../src/db/credentialindex.ts'
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
