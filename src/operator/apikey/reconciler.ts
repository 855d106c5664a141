import { type APIKey, type APIKeyStatus, apiKeyKind } from '../../api/v1alpha1/apikey.ts'
import { defaultDeletionPolicy } from '../../api/v1alpha1/lifecycle.ts'
import {
  type ApiKeySecretRow,
  apiKeyStore,
  isDuplicateDigest,
  secretStatements,
} from '../../db/apikey.ts'
import { referenceKey } from '../../k8s/object.ts'
import {
  done,
  type Outcome,
  type ReconcileContext,
  type Reconciler,
  stalled,
} from '../../k8s/reconciler.ts'
import type { SecretObject } from '../../k8s/secret.ts'
import { secondsTime } from '../../k8s/status.ts'
import { KeyManagementError } from '../../kms/keymanagement.ts'
import { isApplied } from '../applied.ts'
import type { OperatorDependencies } from '../dependencies.ts'
import { driftEvents, repairEvent } from '../drift.ts'
import { keyTrouble } from '../keytrouble.ts'
import { belongsTo } from '../reference.ts'
import { retire } from '../retire.ts'
import { unwatched } from '../unwatched.ts'
import { type Applied, applyKey } from './apply.ts'
import { apiKeyConcept } from './concept.ts'
import { deliver, isRewrapped } from './delivery.ts'
import { look } from './look.ts'
import { apiKeyStatus, nextLook } from './status.ts'

type Result = Outcome<APIKeyStatus>

/** An APIKey is a row of `api_keys`, its secrets' digests, and the Secret that holds the current one. */
export class APIKeyReconciler implements Reconciler<APIKey> {
  readonly resource = apiKeyKind
  readonly #deps: OperatorDependencies

  constructor(deps: OperatorDependencies) {
    this.#deps = deps
  }

  references(apiKey: APIKey): readonly string[] {
    const { secretRef } = apiKey.spec
    const { namespace } = apiKey.metadata
    return [
      ...belongsTo(apiKey),
      ...(secretRef ? [referenceKey('Secret', namespace, secretRef.name)] : []),
    ]
  }

  async reconcile(apiKey: APIKey, context: ReconcileContext): Promise<Result> {
    const id = apiKey.status?.id ?? ''
    const suspicious = this.#deps.changedByHand.delete(id)
    let examined = false
    try {
      const outcome = await this.#reconcile(apiKey, suspicious, context)
      examined = outcome.outcome === 'done'
      return outcome
    } catch (error) {
      if (error instanceof KeyManagementError) return keyTrouble(error, context)
      if (isDuplicateDigest(error)) {
        return stalled(
          'DuplicateDigest',
          'Another API key has the digest of spec.digest.sha256: delete that one, or mint another key.',
          unwatched(context),
        )
      }
      throw error
    } finally {
      if (suspicious && !examined) this.#deps.changedByHand.add(id)
    }
  }

  async #reconcile(
    apiKey: APIKey,
    suspicious: boolean,
    context: ReconcileContext,
  ): Promise<Result> {
    const deps = this.#deps
    const seen = await look(deps, apiKey, context)
    if ('outcome' in seen) return seen
    const applied = await applyKey(deps, apiKey, seen, suspicious, context)
    if ('outcome' in applied) return applied
    return this.#hand(apiKey, applied, seen.secret, context)
  }

  /** The record stands: now the Secret, and what people are told. */
  async #hand(
    apiKey: APIKey,
    applied: Applied,
    former: SecretObject | undefined,
    context: ReconcileContext,
  ): Promise<Result> {
    const deps = this.#deps
    const { row, secrets } = applied
    const status = apiKeyStatus(apiKey, row, secrets, applied.prefix)
    const events = [...driftEvents(deps, apiKey, applied.action), ...applied.events]
    const requeueAt = nextLook(apiKey, row, secrets)
    const now = context.now()
    if (row.expiresAt && row.expiresAt <= now) {
      const message = `The key expired at ${secondsTime(row.expiresAt)} and is refused: set a later spec.expiresAt, or delete the resource.`
      return stalled('Expired', message, { status, events })
    }
    const current = secrets.find((secret) => secret.expiresAt === null)
    if (apiKey.spec.secretRef && current) {
      const delivered = await deliver(deps, apiKey, row.id, current, context.signal)
      if (delivered.result === 'foreign') {
        const message = `Secret "${apiKey.spec.secretRef.name}" exists and is not this APIKey's: choose another spec.secretRef.name, or delete it if nobody uses it.`
        const { secretName: _foreign, ...undelivered } = status
        const told = { status: undelivered, events, ...unwatched(context) }
        return stalled<APIKeyStatus>('SecretConflict', message, told)
      }
      const edited = wasDelivered(apiKey, current) && !isRewrapped(apiKey, former, current)
      if (delivered.result !== 'unchanged' && edited) {
        const what =
          delivered.result === 'repaired'
            ? `differed in ${delivered.differences.join(', ')}`
            : 'was gone'
        events.push(
          repairEvent(
            deps,
            'APIKey',
            'secret',
            `Secret "${apiKey.spec.secretRef.name}" ${what} and was repaired.`,
          ),
        )
      }
    }
    if (!isApplied(apiKey) && applied.action.action !== 'insert') {
      await this.#withdraw(apiKey, apiKey.spec.secretRef?.name, context.signal)
    }
    return done(`Key "${apiKey.metadata.name}" is in force.`, {
      reason: 'Succeeded',
      status,
      events,
      ...(requeueAt && { requeueAt }),
    })
  }

  async finalize(apiKey: APIKey, context: ReconcileContext): Promise<Result> {
    const deps = this.#deps
    const purge = (apiKey.spec.deletionPolicy ?? defaultDeletionPolicy) === 'Delete'
    // Revoked first: the Secret is of no use to anybody from then on.
    await retire(deps, apiKeyConcept, apiKey, {
      purge: purge ? (id) => [apiKeyStore.deletion(id)] : undefined,
      retained: { deletedAt: context.now() },
      before: (row) => [secretStatements.deletionOfAll(row.id)],
    })
    await this.#withdraw(apiKey, undefined, context.signal)
    deps.changedByHand.delete(apiKey.status?.id ?? '')
    return done('The key is revoked.')
  }

  /**
   * Takes away all Secrets of the key but the one that is wanted. The status does not know of one whose pass died before
   * it was written.
   */
  async #withdraw(apiKey: APIKey, wanted: string | undefined, signal: AbortSignal): Promise<void> {
    const { secrets } = this.#deps
    const { spec, status } = apiKey
    const names = [spec.secretRef?.name, status?.secretName, ...secrets.namesOf(apiKey)]
    for (const name of new Set(names)) {
      if (name !== undefined && name !== wanted) await secrets.withdraw(apiKey, name, signal)
    }
  }
}

/** Whether this very secret was in its Secret after the last pass. */
function wasDelivered(apiKey: APIKey, current: ApiKeySecretRow): boolean {
  const active = apiKey.status?.keys?.find((key) => key.state === 'Active')
  return (
    isApplied(apiKey) &&
    active?.id === current.id &&
    apiKey.status?.secretName === apiKey.spec.secretRef?.name
  )
}
