/** The resource that declares a record. The kind is the record's own; a UID is no part of it: a restored cluster has new ones. */
export interface Owner {
  readonly installation: string
  readonly namespace: string
  readonly name: string
}

/** The columns by which a record says whose it is. */
export interface Owned {
  readonly managedBy: 'resource' | 'api'
  readonly ownerInstallation: string | null
  readonly ownerNamespace: string | null
  readonly ownerName: string | null
  readonly deletedAt?: Date | null
}

/** `ours`: live or retained by our own deletion. `unowned`: made at run time through the API. `foreign`: another resource's. */
export type Claim = 'ours' | 'unowned' | 'foreign'

export function claimOf(record: Owned, owner: Owner): Claim {
  if (record.managedBy === 'api') return 'unowned'
  const ours =
    record.ownerInstallation === owner.installation &&
    record.ownerNamespace === owner.namespace &&
    record.ownerName === owner.name
  return ours ? 'ours' : 'foreign'
}

/** The owner's columns, for an insert or an adoption. */
export function ownedBy(owner: Owner) {
  return {
    managedBy: 'resource' as const,
    ownerInstallation: owner.installation,
    ownerNamespace: owner.namespace,
    ownerName: owner.name,
  }
}

/** A sentence's part that names who has a record. */
export function describeOwner(kind: string, record: Owned): string {
  if (record.managedBy === 'api') return `the HTTP API`
  const kept = record.deletedAt ? 'the deleted ' : ''
  return `${kept}${kind} ${record.ownerNamespace}/${record.ownerName} of installation ${record.ownerInstallation}`
}
