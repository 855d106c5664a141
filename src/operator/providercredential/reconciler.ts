import { defaultDeletionPolicy } from '../../api/v1alpha1/lifecycle.ts'
import {
  type ProviderCredential,
  type ProviderCredentialStatus,
  providerCredentialKind,
} from '../../api/v1alpha1/providercredential.ts'
import { providerCredentialStore, versionStatements } from '../../db/providercredential.ts'
import { versionInForce } from '../../domain/providercredential.ts'
import { referenceKey } from '../../k8s/object.ts'
import { done, type Outcome, type ReconcileContext, type Reconciler } from '../../k8s/reconciler.ts'
import { SECRET_METADATA } from '../../k8s/secret.ts'
import { KeyManagementError } from '../../kms/keymanagement.ts'
import { isApplied } from '../applied.ts'
import type { OperatorDependencies } from '../dependencies.ts'
import { driftEvents, repairEvent } from '../drift.ts'
import { keyTrouble } from '../keytrouble.ts'
import { belongsTo } from '../reference.ts'
import { retire } from '../retire.ts'
import { type Applied, applyCredential } from './apply.ts'
import { providerCredentialConcept } from './concept.ts'
import { look, type Seen } from './look.ts'
import { readSource } from './source.ts'
import { providerCredentialStatus } from './status.ts'
import { compareValue, isReadable, witnessOf } from './value.ts'
import { type Readable, valueless } from './valueless.ts'

type Result = Outcome<ProviderCredentialStatus>
type Comparison = Awaited<ReturnType<typeof compareValue>>

/** A ProviderCredential is a row of `provider_credentials` and its versions, the newest of which is sealed. */
export class ProviderCredentialReconciler implements Reconciler<ProviderCredential> {
  readonly resource = providerCredentialKind
  readonly #deps: OperatorDependencies
  /** What was last found to be the same, by the credential's id; as many as there are credentials. */
  readonly #witnesses = new Map<string, string>()

  constructor(deps: OperatorDependencies) {
    this.#deps = deps
  }

  references(object: ProviderCredential): readonly string[] {
    const { name } = object.spec.valueFrom.secretRef
    return [
      ...belongsTo(object),
      referenceKey(SECRET_METADATA.kind, object.metadata.namespace, name),
    ]
  }

  async reconcile(object: ProviderCredential, context: ReconcileContext): Promise<Result> {
    try {
      return await this.#reconcile(object, context)
    } catch (error) {
      if (!(error instanceof KeyManagementError)) throw error
      return keyTrouble(error, context)
    }
  }

  async #reconcile(object: ProviderCredential, context: ReconcileContext): Promise<Result> {
    const deps = this.#deps
    const seen = await look(deps, object, context)
    if ('outcome' in seen) return seen
    const { name, key } = object.spec.valueFrom.secretRef
    const secret = await deps.secrets.read(object.metadata.namespace, name, context.signal)
    const source = readSource(object, secret)
    const current = versionInForce(seen.versions)
    const dataKey = seen.dataKeys.find(({ version }) => version === current?.dataKeyVersion)
    const witness = current && witnessOf(secret, key, current, dataKey)
    if (!secret || source.problem) {
      const readable = await this.#readable(seen, witness, context)
      return valueless(object, seen, source, readable, context)
    }
    try {
      const compared = await this.#compare(seen, witness, source.value, context)
      const value = compared === 'same' ? undefined : source.value
      const applied = await applyCredential(deps, object, seen, value, context)
      if ('outcome' in applied) return applied
      if (witness !== undefined && compared === 'same') {
        this.#witnesses.set(applied.row.id, witness)
      }
      return inForce(deps, object, seen, compared, applied)
    } finally {
      source.value.fill(0)
    }
  }

  async #compare(
    seen: Seen,
    witness: string | undefined,
    value: Buffer,
    { signal }: ReconcileContext,
  ): Promise<Comparison> {
    const known = this.#witnesses.get(seen.found.row?.id ?? '')
    if (witness !== undefined && witness === known) return 'same'
    return compareValue(this.#deps, seen, value, signal)
  }

  async #readable(
    seen: Seen,
    witness: string | undefined,
    { signal }: ReconcileContext,
  ): Promise<Readable> {
    const id = seen.found.row?.id ?? ''
    if (witness !== undefined && witness === this.#witnesses.get(id)) return 'yes'
    const readable = await isReadable(this.#deps, seen, signal)
    if (witness !== undefined && readable === 'yes') this.#witnesses.set(id, witness)
    return readable
  }

  async finalize(object: ProviderCredential, context: ReconcileContext): Promise<Result> {
    const purge = (object.spec.deletionPolicy ?? defaultDeletionPolicy) === 'Delete'
    const now = context.now()
    await retire(this.#deps, providerCredentialConcept, object, {
      purge: purge ? (id) => [providerCredentialStore.deletion(id)] : undefined,
      retained: { deletedAt: now },
      before: (row) => [versionStatements.revocationOfAll(row.id, now)],
    })
    this.#witnesses.delete(object.status?.id ?? '')
    return done('The credential is revoked.')
  }
}

function inForce(
  deps: OperatorDependencies,
  object: ProviderCredential,
  seen: Seen,
  compared: Comparison,
  { row, versions, action }: Applied,
): Result {
  const events = driftEvents(deps, object, action)
  const live = seen.found.row !== undefined && !seen.found.row.deletedAt
  if (compared === 'altered' || (compared === 'none' && live && isApplied(object))) {
    const note =
      compared === 'altered'
        ? 'The sealed value did not open, because it was altered or moved: it was sealed anew from the Secret.'
        : 'The version in force was gone from the database: the value was sealed anew from the Secret.'
    events.push(repairEvent(deps, object.kind, 'row', note))
  }
  const current = versionInForce(versions)
  if (compared === 'other') {
    const note = `Version ${current?.version} is in force; the one before it is revoked and wiped.`
    events.push({ type: 'Normal', reason: 'ValueChanged', action: 'Seal', note })
  }
  return done(`Version ${current?.version} of the credential is in force.`, {
    reason: 'Succeeded',
    status: providerCredentialStatus(row, versions),
    events,
  })
}
