import type { Meter } from './meter.ts'
import type { Policy } from './policy.ts'
import type { Tenant } from './tenant.ts'

/** Anything that authenticates a request. API keys now; sessions come beside them. */
export type Credential = ApiKeyCredential

/** One live secret of an API key. */
export interface ApiKeyCredential {
  readonly kind: 'APIKey'
  /** The secret's: during an overlap a key has two. */
  readonly id: string
  readonly apiKeyId: string
  /** The key's, as a header can carry it. */
  readonly name: string
  readonly tenant: Tenant
  /** Undefined: the whole organization. */
  readonly projectId: string | undefined
  readonly policy: Policy
  /** Milliseconds since the epoch; infinite: never. */
  readonly expiresAt: number
  readonly createdAt: number
  readonly imported: boolean
  /** Where the index has it. */
  slot: number
  /** Another live secret of the same key. */
  sibling: ApiKeyCredential | undefined
  /** How it is used; made at the first use. */
  meter: Meter | undefined
}
