import type pg from 'pg'
import type { Fence } from '../db/transaction.ts'
import type { Owner } from '../domain/ownership.ts'
import type { DataKeys } from '../encryption/datakeys.ts'
import type { Logger } from '../k8s/reconciler.ts'
import type { OwnedSecrets } from '../k8s/secret.ts'
import { type KeyManagement, KeyManagementError } from '../kms/keymanagement.ts'
import type { Keyring } from '../kms/keyring.ts'
import { describeReference, type KeyReference } from '../kms/reference.ts'

/** What the reconcilers act with. */
export interface OperatorDependencies {
  readonly pool: pg.Pool
  readonly keyring: Keyring
  readonly dataKeys: Pick<DataKeys, 'of'>
  readonly secrets: Pick<OwnedSecrets, 'deliver' | 'namesOf' | 'read' | 'withdraw'>
  /** The name of this installation: several may share a database. */
  readonly installation: string
  /** The leadership that every write is fenced with. */
  readonly fence: () => Fence
  readonly logger: Logger
  readonly randomBytes: (length: number) => Uint8Array
  readonly allowPlainSecrets: boolean
  /** `namespace/name` of the Organizations that may adopt one which was made through the API; `*` is any. */
  readonly adoptOrganizations: readonly string[]
  /** Whether the owners whom Organizations name are invited: of no use where nobody can sign in. */
  readonly inviteOwners: boolean
  /** Told of each repair, for the counter. */
  readonly repaired: (kind: string, where: 'row' | 'secret') => void
  /** The ids of API keys whose records somebody changed by hand, and whose secrets were not examined since. */
  readonly changedByHand: Set<string>
  /** What is wrapped by a former key, or sealed by a former data key, is looked for soon and not only every few minutes. */
  readonly rotateSoon: () => void
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

/** A namespace may not use the key that an organization of it chose. */
export class KeyNotAllowedError extends KeyManagementError {
  readonly namespace: string
  /** The key, as `describeReference` writes it. */
  readonly line: string

  constructor(namespace: string, line: string) {
    super(
      'denied',
      `namespace "${namespace}" may not use the key ${line}: list it in kms.allowedKeys of the chart (CARDEA_KMS_KEYS)`,
    )
    this.namespace = namespace
    this.line = line
  }
}

/**
 * The KEK that wraps for an organization from now on.
 * @throws KeyNotAllowedError when its namespace may not use the key that it chose: what is wrapped would not open
 */
export function kekOf(
  { keyring }: Pick<OperatorDependencies, 'keyring'>,
  organization: { readonly encryptionKey: unknown; readonly ownerNamespace: string | null },
): KeyManagement {
  if (organization.encryptionKey === null) return keyring.default
  const reference = organization.encryptionKey as KeyReference
  const namespace = organization.ownerNamespace ?? ''
  if (keyring.allows(namespace, reference)) return keyring.key(reference)
  throw new KeyNotAllowedError(namespace, describeReference(reference))
}
