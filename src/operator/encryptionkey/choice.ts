import type { Organization, OrganizationStatus } from '../../api/v1alpha1/organization.ts'
import type { OrganizationRow } from '../../db/organization.ts'
import { isReady } from '../../k8s/object.ts'
import { type ReconcileContext, type Waiting, waiting } from '../../k8s/reconciler.ts'
import { encryptionKeyOf, isChosen, keyReferenceOf } from './reference.ts'

/**
 * The key that an organization's row is to name: null for the installation's, or why the organization waits. A key counts
 * from the moment that it is Ready; one that is in force already stays in force, whatever becomes of it.
 */
export function chosenKey(
  organization: Organization,
  row: Pick<OrganizationRow, 'encryptionKey'> | undefined,
  context: Pick<ReconcileContext, 'get'>,
): Pick<OrganizationRow, 'encryptionKey'> | Waiting<OrganizationStatus> {
  const { encryptionKeyRef } = organization.spec
  if (!encryptionKeyRef) return { encryptionKey: null }
  const { name } = encryptionKeyRef
  const key = encryptionKeyOf(organization, context)
  if (!key) {
    const { namespace } = organization.metadata
    return waiting(
      'EncryptionKeyNotFound',
      `There is no EncryptionKey "${name}" in namespace "${namespace}": create it, or correct spec.encryptionKeyRef.name.`,
    )
  }
  const reference = keyReferenceOf(key)
  if (isReady(key) || (row && isChosen(reference, row.encryptionKey))) {
    return { encryptionKey: { ...reference } }
  }
  return waiting(
    'EncryptionKeyNotReady',
    `EncryptionKey "${name}" is not Ready; its own conditions say why. Nothing is changed until it is.`,
  )
}
