import type { IndexedApiKey } from '../../db/credentialindex.ts'
import type { Grants } from './grants.ts'
import { headerText } from './headertext.ts'
import type { Meter } from './meter.ts'
import type { Policy } from './policy.ts'
import { RoleHolder } from './roleholder.ts'
import type { RoleSet } from './roleset.ts'
import type { SessionCredential } from './session.ts'
import type { Project, Tenant } from './tenant.ts'

/** Anything that authenticates a request. */
export type Credential = ApiKeyCredential | SessionCredential

/** One live secret of an API key. There may be a million: what can be shared or worked out is not kept in it. */
export class ApiKeyCredential extends RoleHolder {
  /** The secret's: during an overlap a key has two. */
  readonly id: string
  readonly apiKeyId: string
  /** The key's, as a header can carry it. */
  readonly name: string
  readonly tenant: Tenant
  /** Undefined: the whole organization. */
  readonly project: Project | undefined
  readonly policy: Policy
  /** Milliseconds since the epoch; infinite: never. */
  readonly expiresAt: number
  /** Seconds since the epoch: a small integer, which takes no room of its own. */
  readonly issuedAt: number
  readonly imported: boolean
  /** Where the index has it. */
  slot = 0
  /** Another live secret of the same key. */
  sibling: ApiKeyCredential | undefined
  /** How it is used; made at the first use. */
  meter: Meter | undefined = undefined

  constructor(
    row: IndexedApiKey,
    tenant: Tenant,
    policy: Policy,
    sibling: ApiKeyCredential | undefined,
  ) {
    super()
    this.id = row.secretId
    // One string for both secrets. Another organization may have a key of the same id, but that has a name of its own.
    this.apiKeyId = sibling?.apiKeyId ?? row.id
    this.name = sibling?.tenant === tenant ? sibling.name : headerText(row.name)
    this.tenant = tenant
    this.project = row.projectId === null ? undefined : tenant.project(row.projectId)
    this.policy = policy
    this.expiresAt = row.expiresAt ?? Number.POSITIVE_INFINITY
    this.issuedAt = Math.floor(row.createdAt / 1000)
    this.imported = row.imported
    this.sibling = sibling
  }

  get kind(): 'APIKey' {
    return 'APIKey'
  }

  get subjectId(): string {
    return this.apiKeyId
  }

  protected rolesIn(grants: Grants, projectId: string | undefined): RoleSet {
    return grants.ofApiKey(this.name, projectId)
  }
}
