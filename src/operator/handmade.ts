import type { Change } from '../db/changes.ts'
import { referenceKey } from '../k8s/object.ts'

/** The kinds by the names that the change feed has for their records. */
const kinds: Readonly<Record<string, string>> = {
  organization: 'Organization',
  project: 'Project',
  role: 'RBACRole',
  role_binding: 'RBACBinding',
  api_key: 'APIKey',
  provider_credential: 'ProviderCredential',
}

export interface HandMadeOptions {
  readonly installation: string
  /** Where the ids of such API keys are kept until their secrets have been examined. */
  readonly changedByHand: Set<string>
  /** The reference keys of the resource whose status shows the id; none when no resource does. */
  readonly resourceOf: (kind: string, recordId: string) => string | undefined
  readonly wake: (reference: string, reason: string) => void
}

/**
 * Wakes the resources of records that were changed by somebody else than a program of Cardea's, which sets the actor of
 * its transactions. That is how drift is repaired at once and not at the next resync.
 */
export function wakeHandMade(changes: readonly Change[], options: HandMadeOptions): void {
  for (const change of changes) {
    const kind = kinds[change.concept]
    if (change.actor !== null || kind === undefined) continue
    const reference = referenceOf(kind, change, options)
    if (reference === undefined) continue
    if (change.concept === 'api_key') options.changedByHand.add(change.recordId)
    options.wake(reference, 'its record was changed by hand')
  }
}

/** By the owner that the record names; a secret's row names none, and its key's id leads to the resource. */
function referenceOf(kind: string, change: Change, options: HandMadeOptions): string | undefined {
  const { ownerInstallation, ownerNamespace, ownerName } = change
  if (ownerNamespace !== null && ownerName !== null) {
    return ownerInstallation === options.installation
      ? referenceKey(kind, ownerNamespace, ownerName)
      : undefined
  }
  return options.resourceOf(kind, change.recordId)
}
