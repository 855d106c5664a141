import type { Reason } from '../../api/v1alpha1/conditions.ts'
import {
  type ReconcileContext,
  type Stalled,
  stalled,
  type Waiting,
  waiting,
} from '../../k8s/reconciler.ts'
import type { KeyManagementCode, KeyManagementError } from '../../kms/keymanagement.ts'

/** What is wrong with a key. `passes`: nobody need do anything. */
export interface Trouble {
  readonly reason: Reason
  readonly message: string
  readonly passes: boolean
  /** The key was not even asked, and will be in so many milliseconds. */
  readonly again?: number | undefined
}

type Remedies = Readonly<Record<KeyManagementCode, readonly [reason: Reason, remedy: string]>>

/** Who must act, and what for. */
const remedies: Remedies = {
  unreachable: ['KeyManagementUnavailable', 'nobody need act if it comes back; it is tried again'],
  throttled: ['KeyManagementUnavailable', 'it is tried again, more slowly'],
  denied: [
    'PermissionDenied',
    "the key's administrator lets the service accounts of Cardea describe it, wrap and unwrap with it",
  ],
  disabled: ['KeyDisabled', "the key's administrator enables it"],
  pending_deletion: [
    'KeyPendingDeletion',
    "the key's administrator cancels the deletion, or the organizations that refer to this resource choose another key now",
  ],
  not_found: [
    'KeyNotFound',
    "correct the spec, have the key made, or have the installation's administrator set the provider up",
  ],
  refused: ['KeyUnsuitable', "choose a key of the sort that the provider's guide names"],
}

/**
 * What a failed probe says.
 * @param own remedies for whoever did not name the key themselves
 */
export function troubleOf(error: KeyManagementError, own: Partial<Remedies> = {}): Trouble {
  const [reason, remedy] = own[error.code] ?? remedies[error.code]
  const message = `${sentence(error.message)}: ${remedy}.`
  return { reason, message, passes: error.passes, again: error.again }
}

/**
 * What a resource says whose key is in trouble.
 * @param usually when to look again, where the key manager was asked; otherwise it is as soon as it will be
 */
export function outcomeOf<Status extends object>(
  { reason, message, passes, again }: Trouble,
  context: Pick<ReconcileContext, 'now'>,
  usually: Date,
): Waiting<Status> | Stalled<Status> {
  const requeueAt = again === undefined ? usually : new Date(context.now().getTime() + again)
  const outcome = passes ? waiting<Status> : stalled<Status>
  return outcome(reason, message, { requeueAt })
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1).replace(/\.$/, '')
}

/** The namespace may not use a key. @param line as `describeReference` writes it */
export function notAllowed(namespace: string, line: string, alias = false): Trouble {
  const why = alias
    ? `The alias leads to the key ${line}, by which envelopes name it, and that is not allowed to namespace "${namespace}"`
    : `Namespace "${namespace}" may not use the key ${line}`
  return {
    reason: 'KeyNotAllowed',
    message: `${why}: the installation's administrator adds ${namespace}=${line} to kms.allowedKeys of the chart (CARDEA_KMS_KEYS), or choose an allowed key.`,
    passes: false,
  }
}
