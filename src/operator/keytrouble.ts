import type { ReconcileContext, Stalled, Waiting } from '../k8s/reconciler.ts'
import type { KeyManagementError } from '../kms/keymanagement.ts'
import { KeyNotAllowedError } from './dependencies.ts'
import { notAllowed, outcomeOf, troubleOf } from './encryptionkey/trouble.ts'
import { unwatched } from './unwatched.ts'

/** For those who have their key from their organization, or the installation. */
const remedies = {
  pending_deletion: [
    'KeyPendingDeletion',
    "the key's administrator cancels the deletion, or the organization chooses another key now",
  ],
  not_found: [
    'KeyNotFound',
    "the key's administrator makes it again, or the installation's sets its provider up and allows the key",
  ],
  refused: [
    'KeyUnsuitable',
    'the organization chooses a key for encryption and decryption; what was altered is put back from a backup',
  ],
} as const

/** What a resource says whose pass needed a key and could not use it. It is tried again, for nobody tells when it can. */
export function keyTrouble<Status extends object>(
  error: KeyManagementError,
  context: Pick<ReconcileContext, 'now'>,
): Waiting<Status> | Stalled<Status> {
  const trouble =
    error instanceof KeyNotAllowedError
      ? notAllowed(error.namespace, error.line)
      : troubleOf(error, remedies)
  return outcomeOf(trouble, context, unwatched(context).requeueAt)
}
