import {
  type EncryptionKey,
  type EncryptionKeyStatus,
  encryptionKeyKind,
} from '../../api/v1alpha1/encryptionkey.ts'
import { rotateDataKeyRequestedAt } from '../../api/v1alpha1/group.ts'
import { countMadeBefore, type WrappedCount, wrappedKeys } from '../../db/encryption.ts'
import { readInOrganization } from '../../db/transaction.ts'
import { referenceKey } from '../../k8s/object.ts'
import {
  done,
  type Outcome,
  type ReconcileContext,
  type ReconcileEvent,
  type Reconciler,
} from '../../k8s/reconciler.ts'
import { KeyManagementError } from '../../kms/keymanagement.ts'
import { blockedBy } from '../children.ts'
import { rotateDataKey } from '../datakey.ts'
import type { OperatorDependencies } from '../dependencies.ts'
import { requestOf } from '../request.ts'
import type { ProbeHistory } from './history.ts'
import { compromisedBefore, isChosen, keyReferenceOf } from './reference.ts'
import { encryptionKeyStatus, usageOf } from './status.ts'
import { outcomeOf, troubleOf } from './trouble.ts'

type Result = Outcome<EncryptionKeyStatus>

/** An EncryptionKey has no record: it is probed, and the organizations that refer to it get it. */
export class EncryptionKeyReconciler implements Reconciler<EncryptionKey> {
  readonly resource = encryptionKeyKind
  readonly #deps: OperatorDependencies
  readonly #probes: ProbeHistory

  constructor(deps: OperatorDependencies, probes: ProbeHistory) {
    this.#deps = deps
    this.#probes = probes
  }

  references(): readonly string[] {
    return []
  }

  async reconcile(key: EncryptionKey, context: ReconcileContext): Promise<Result> {
    const probed = await this.#probes.probe(key, keyReferenceOf(key), context)
    const requeueAt = this.#probes.nextAt(key, context.now())
    if ('reason' in probed) return outcomeOf(probed, context, requeueAt)
    try {
      return await this.#usable(key, probed, requeueAt, context)
    } catch (error) {
      if (!(error instanceof KeyManagementError)) throw error
      return outcomeOf(troubleOf(error), context, requeueAt)
    }
  }

  async finalize(key: EncryptionKey, context: ReconcileContext): Promise<Result> {
    const remedy = 'let them refer to another key, or to none'
    const blocked = blockedBy<EncryptionKeyStatus>(key, context, remedy)
    if (blocked) return blocked
    this.#probes.forget(key)
    return done('The key is not used by any organization of the namespace.')
  }

  async #usable(
    key: EncryptionKey,
    description: { readonly keyId: string; readonly version: string },
    requeueAt: Date,
    context: ReconcileContext,
  ): Promise<Result> {
    const deps = this.#deps
    const { namespace, name } = key.metadata
    const reference = keyReferenceOf(key)
    const current = { provider: reference.provider, ...description }
    const counts = await wrappedKeys(deps.pool, deps.installation, namespace)
    // Another EncryptionKey may name the same key, and has a rotation of its own.
    const referrers = context.referrers()
    const organizations = organizationsOf(counts).filter(
      (organization) =>
        isChosen(reference, organization.encryptionKey) &&
        referrers.includes(referenceKey('Organization', namespace, organization.name)),
    )
    const answer = await this.#rotateDataKeys(key, organizations, context)
    const usage = usageOf(reference, current, counts)
    const compromised = await this.#compromised(key, organizations, context)
    const found = { current, usage, compromised, rotationAnswered: answer.answered }
    if (isNews(key, found)) deps.rotateSoon()
    return done<EncryptionKeyStatus>(messageOf(name, usage), {
      reason: 'Succeeded',
      status: encryptionKeyStatus(key, found, context.now()),
      events: answer.events,
      requeueAt,
    })
  }

  /** Answers the annotation that asks for new data keys: one for each value, however often a pass fails half-way. */
  async #rotateDataKeys(
    key: EncryptionKey,
    organizations: readonly WrappedCount[],
    { signal }: ReconcileContext,
  ): Promise<{ answered: string | undefined; events: readonly ReconcileEvent[] }> {
    const former = key.status?.lastHandledRotateDataKeyAt
    const request = requestOf(key, rotateDataKeyRequestedAt)
    if (request === undefined || request === former) return { answered: former, events: [] }
    for (const organization of organizations) {
      const tenant = { ...organization, ownerNamespace: organization.namespace }
      await rotateDataKey(this.#deps, tenant, signal, request)
    }
    const note = `${organizations.length} organization(s) got a new data key; what the former ones sealed is sealed anew.`
    return {
      answered: request,
      events: [{ type: 'Normal', reason: 'DataKeyRotated', action: 'Rotate', note }],
    }
  }

  async #compromised(
    key: EncryptionKey,
    organizations: readonly WrappedCount[],
    context: ReconcileContext,
  ): Promise<number | undefined> {
    const before = compromisedBefore(key, context.now())
    if (before === undefined) return undefined
    const { pool, installation } = this.#deps
    let total = 0
    for (const { namespace, name } of organizations) {
      const owner = { installation, namespace, name }
      const [count] = await readInOrganization(pool, owner, [countMadeBefore(before)])
      total += count
    }
    return total
  }
}

/**
 * Whether the background has something to do that it may not know of. What is stuck is not: it would be asked about it after each
 * of its runs, since they wake the EncryptionKey.
 */
function isNews(
  { status }: EncryptionKey,
  found: {
    readonly current: { readonly version: string }
    readonly usage: { readonly stale: number }
    readonly compromised: number | undefined
    readonly rotationAnswered: string | undefined
  },
): boolean {
  const { current, usage, compromised, rotationAnswered } = found
  const isNewStale = usage.stale !== status?.stale || current.version !== status.version
  return (
    (usage.stale > 0 && isNewStale) ||
    ((compromised ?? 0) > 0 && compromised !== status?.compromised) ||
    rotationAnswered !== status?.lastHandledRotateDataKeyAt
  )
}

function organizationsOf(counts: readonly WrappedCount[]): readonly WrappedCount[] {
  return [...new Map(counts.map((count) => [count.organizationId, count])).values()]
}

function messageOf(name: string, { total, stale }: { total: number; stale: number }): string {
  return stale === 0
    ? `Key "${name}" wraps and unwraps.`
    : `Key "${name}" wraps and unwraps. ${stale} of ${total} wrapped data keys are not under its current version yet and are wrapped anew.`
}
