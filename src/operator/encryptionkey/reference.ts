import type { EncryptionKey } from '../../api/v1alpha1/encryptionkey.ts'
import type { Organization } from '../../api/v1alpha1/organization.ts'
import { isSuspended, referenceKey } from '../../k8s/object.ts'
import type { ReconcileContext } from '../../k8s/reconciler.ts'
import { describeReference, type KeyReference } from '../../kms/reference.ts'
import type { Belonging } from '../reference.ts'

/** The key that an EncryptionKey names. */
export function keyReferenceOf({ spec }: Pick<EncryptionKey, 'spec'>): KeyReference {
  const { aws, gcp, azure, vault } = spec
  if (aws) return { provider: 'aws', region: aws.region, keyId: aws.keyId }
  if (gcp) return { provider: 'gcp', name: gcp.name }
  if (azure) return { provider: 'azure', vaultUrl: azure.vaultUrl, name: azure.name }
  if (vault) return { provider: 'vault', mount: vault.mount, name: vault.name }
  return { provider: 'local' }
}

/** Whether an organization's row chose the key; a row's value is JSON of a hand's, maybe. */
export function isChosen(reference: KeyReference, encryptionKey: unknown): boolean {
  return lineOf(encryptionKey) === describeReference(reference)
}

/** The line of what an organization's row has; null: the installation's default key. */
export function lineOf(encryptionKey: unknown): string | null {
  if (encryptionKey === null) return null
  return describeReference(encryptionKey as KeyReference) ?? ''
}

/** The EncryptionKey that an Organization refers to, if there is one. */
export function encryptionKeyOf(
  organization: Organization,
  context: Pick<ReconcileContext, 'get'>,
): EncryptionKey | undefined {
  const { encryptionKeyRef } = organization.spec
  if (!encryptionKeyRef) return undefined
  const { namespace } = organization.metadata
  const key = context.get(referenceKey('EncryptionKey', namespace, encryptionKeyRef.name))
  return key as EncryptionKey | undefined
}

/** The EncryptionKey that the Organization of a resource refers to, if there is one. */
export function encryptionKeyFor(
  { metadata: { namespace }, spec: { organizationRef } }: Belonging,
  context: Pick<ReconcileContext, 'get'>,
): EncryptionKey | undefined {
  const organization = context.get(referenceKey('Organization', namespace, organizationRef.name))
  return organization && encryptionKeyOf(organization as Organization, context)
}

/**
 * The moment before which what was made counts as compromised; undefined when nothing does. One that is to come does not
 * count yet: what is made now would be compromised at once, again and again.
 */
export function compromisedBefore(key: EncryptionKey | undefined, now: Date): Date | undefined {
  const text = key && !isSuspended(key) ? key.spec.rotation?.compromisedBefore : undefined
  const moment = text === undefined ? undefined : new Date(text)
  return moment !== undefined && moment <= now ? moment : undefined
}
