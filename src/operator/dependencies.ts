import type pg from 'pg'
import type { Fence } from '../db/transaction.ts'
import type { Owner } from '../domain/ownership.ts'
import type { OwnedSecrets } from '../k8s/secret.ts'
import type { KeyManagement } from '../kms/keymanagement.ts'
import type { Keyring } from '../kms/keyring.ts'
import type { KeyReference } from '../kms/reference.ts'

/** What the reconcilers act with. */
export interface OperatorDependencies {
  readonly pool: pg.Pool
  readonly keyring: Keyring
  readonly secrets: Pick<OwnedSecrets, 'deliver' | 'namesOf' | 'read' | 'withdraw'>
  /** The name of this installation: several may share a database. */
  readonly installation: string
  /** The leadership that every write is fenced with. */
  readonly fence: () => Fence
  readonly randomBytes: (length: number) => Uint8Array
  readonly allowPlainSecrets: boolean
  /** `namespace/name` of the Organizations that may adopt one which was made through the API; `*` is any. */
  readonly adoptOrganizations: readonly string[]
  /** Told of each repair, for the counter. */
  readonly repaired: (kind: string, where: 'row' | 'secret') => void
  /** The ids of API keys whose records somebody changed by hand, and whose secrets were not examined since. */
  readonly changedByHand: Set<string>
}

/** Who the operator is in the change feed and the audit trail. */
export const operatorActor = 'cardea-operator'

export function ownerOf(
  deps: Pick<OperatorDependencies, 'installation'>,
  object: { readonly metadata: { readonly namespace: string; readonly name: string } },
): Owner {
  const { namespace, name } = object.metadata
  return { installation: deps.installation, namespace, name }
}

/** The KEK that wraps for an organization from now on. */
export function kekOf(
  { keyring }: Pick<OperatorDependencies, 'keyring'>,
  { encryptionKey }: { readonly encryptionKey: unknown },
): KeyManagement {
  return encryptionKey === null ? keyring.default : keyring.key(encryptionKey as KeyReference)
}
