import type { IndexedUser } from '../../db/credentialindex.ts'
import type { Grants } from './grants.ts'
import { percentEncoded } from './headertext.ts'
import { RoleHolder } from './roleholder.ts'
import type { RoleSet } from './roleset.ts'
import { sharedList } from './sharedtext.ts'
import type { Tenant } from './tenant.ts'

const none: readonly string[] = []

/** A person in an organization: one object for all of their sessions. */
export class User extends RoleHolder {
  readonly id: string
  readonly tenant: Tenant
  /** Canonical. */
  email = ''
  /** The address, as a header can carry it: worked out once, and not at every check. */
  name = ''
  groups = none
  /** Neither suspended nor without a verified address. */
  active = false
  /** Milliseconds since the epoch: what began before is over. */
  revokedBefore: number | undefined = undefined
  /** How many sessions the index has of them. */
  sessions = 0
  /** Where it has them. */
  number = 0

  constructor(id: string, tenant: Tenant) {
    super()
    this.id = id
    this.tenant = tenant
  }

  /** @param row undefined: there is nobody of this id any more */
  set(row: Omit<IndexedUser, 'organizationId' | 'id'> | undefined): void {
    if (row && row.email !== this.email) {
      this.email = row.email
      this.name = percentEncoded(row.email)
    }
    this.groups = sharedList(row?.groups ?? none)
    this.active = row?.active ?? false
    this.revokedBefore = row?.revokedBefore ?? undefined
    this.forgetRoles()
  }

  protected rolesIn(grants: Grants, projectId: string | undefined): RoleSet {
    return grants.ofUser(this, projectId)
  }
}
