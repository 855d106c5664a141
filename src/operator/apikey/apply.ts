import type { APIKey, APIKeyStatus } from '../../api/v1alpha1/apikey.ts'
import { rotateRequestedAt } from '../../api/v1alpha1/group.ts'
import {
  type ApiKeyRow,
  type ApiKeySecretRow,
  apiKeyStore,
  secretStatements,
  secretsOfOwner,
} from '../../db/apikey.ts'
import { auditing } from '../../db/audit.ts'
import { reclaimId } from '../../db/identity.ts'
import { carryOut, inOrganization, type Transaction } from '../../db/transaction.ts'
import { addsRecord, type RecordAction } from '../../domain/record.ts'
import { ConflictError } from '../../k8s/errors.ts'
import {
  type Outcome,
  type ReconcileContext,
  type ReconcileEvent,
  stalled,
} from '../../k8s/reconciler.ts'
import { examine, recordEvent, statements } from '../declare.ts'
import { type OperatorDependencies, operatorActor, ownerOf } from '../dependencies.ts'
import { repairEvent } from '../drift.ts'
import { compromisedBefore, encryptionKeyFor } from '../encryptionkey/reference.ts'
import { requestOf } from '../request.ts'
import { unwatched } from '../unwatched.ts'
import type { SecretChanges } from './change.ts'
import { apiKeyConcept } from './concept.ts'
import type { Seen } from './look.ts'
import { planChanges } from './plan.ts'
import { overQuota } from './quota.ts'

/** The record and its secrets as they stand after a pass. */
export interface Applied {
  readonly row: ApiKeyRow
  readonly secrets: readonly ApiKeySecretRow[]
  readonly action: RecordAction
  readonly prefix: string | undefined
  readonly events: ReconcileEvent[]
}

/** Makes the record and its secrets agree with the spec, in one fenced transaction if anything differs. */
export async function applyKey(
  deps: OperatorDependencies,
  apiKey: APIKey,
  seen: Seen,
  suspicious: boolean,
  context: ReconcileContext,
): Promise<Applied | Outcome<APIKeyStatus>> {
  const now = context.now()
  const expired =
    apiKey.spec.expiresAt !== undefined && Date.parse(apiKey.spec.expiresAt) <= now.getTime()
  if (expired && !seen.found.row) {
    return stalled(
      'Expired',
      `spec.expiresAt ${apiKey.spec.expiresAt} has passed, so no key was made: set a later time.`,
    )
  }
  const id = seen.found.row?.id ?? (await reclaimId(deps.pool, apiKey.status?.id))
  const request = expired ? undefined : rotationRequest(apiKey)
  const answers = [seen.found.row?.rotationHandled, apiKey.status?.lastHandledRotateAt]
  const requested = request !== undefined && !answers.includes(request)
  const moment = {
    id,
    now,
    requested,
    expired,
    suspicious,
    compromisedBefore: compromisedBefore(encryptionKeyFor(apiKey, context), now),
  }
  const changes = await planChanges(deps, apiKey, seen, moment)
  if ('outcome' in changes) return changes
  const rotationHandled = request ?? seen.found.row?.rotationHandled ?? null
  const prefix = changes.prefix ?? apiKey.status?.prefix
  if (
    seen.found.row &&
    seen.found.action.action === 'none' &&
    isNothing(changes) &&
    rotationHandled === seen.found.row.rotationHandled
  ) {
    return {
      row: seen.found.row,
      secrets: seen.secrets,
      action: seen.found.action,
      prefix,
      events: [],
    }
  }
  const written = await write(deps, apiKey, seen, { id, rotationHandled, changes }, context)
  if ('outcome' in written) return written
  const repairs = changes.repairs.map((note) => repairEvent(deps, 'APIKey', 'row', note))
  return { ...written, prefix, events: [...changes.events, ...repairs] }
}

/** The value of the request to rotate, answered or not. A key that was minted elsewhere is not rotated here. */
function rotationRequest(apiKey: APIKey): string | undefined {
  return apiKey.spec.secretRef && requestOf(apiKey, rotateRequestedAt)
}

function isNothing(changes: SecretChanges): boolean {
  return changes.insert.length + changes.update.length + changes.remove.length === 0
}

type Written = Pick<Applied, 'row' | 'secrets' | 'action'>

async function write(
  deps: OperatorDependencies,
  apiKey: APIKey,
  seen: Seen,
  wanted: {
    readonly id: string
    readonly rotationHandled: string | null
    readonly changes: SecretChanges
  },
  context: ReconcileContext,
): Promise<Written | Outcome<APIKeyStatus>> {
  const { id, rotationHandled, changes } = wanted
  const organizationId = seen.organization.id
  const tenant = { organizationId, actor: operatorActor, fence: deps.fence() }
  const owner = ownerOf(deps, apiKey)
  const readings = [apiKeyStore.of(owner), secretsOfOwner(owner)] as const
  const work = async (
    tx: Transaction,
    keyRow: ApiKeyRow | undefined,
    secrets: readonly ApiKeySecretRow[],
  ) => {
    const found = examine(deps, apiKey, seen.values, keyRow)
    if ('conflict' in found) throw new ConflictError('another took the key meanwhile')
    if (found.row?.id !== seen.found.row?.id)
      throw new ConflictError('the record changed meanwhile')
    const objection = addsRecord(found.action) ? await overQuota(tx, seen) : undefined
    if (objection !== undefined) return stalled('QuotaExceeded', objection, unwatched(context))
    expectUnchanged(
      secrets.filter((secret) => secret.apiKeyId === id),
      seen.secrets,
    )
    const identity = { ...owner, organizationId, id }
    const texts = [
      ...statements(apiKeyConcept, found, seen.values, identity),
      // No value of the spec, so that a rotation that was asked for is not taken for drift.
      ...((keyRow?.rotationHandled ?? null) === rotationHandled
        ? []
        : [apiKeyStore.update(id, { rotationHandled })]),
      ...secretTexts(identity, changes),
    ]
    const [row, after] = await carryOut(tx, texts, readings)
    return { row: row as ApiKeyRow, secrets: after, action: found.action }
  }
  return inOrganization(deps.pool, tenant, work, readings)
}

/** The plan was made for these secrets: if others are there by now, it is made anew. */
function expectUnchanged(now: readonly ApiKeySecretRow[], seen: readonly ApiKeySecretRow[]): void {
  const same =
    now.length === seen.length &&
    now.every((row, at) => row.id === seen[at]?.id && row.digest.equals(seen[at].digest))
  if (!same) throw new ConflictError('the secrets changed meanwhile')
}

function secretTexts(
  key: { readonly organizationId: string; readonly id: string; readonly name: string },
  { remove, update, insert, verbs }: SecretChanges,
): readonly string[] {
  const { organizationId, id: apiKeyId } = key
  const rows = insert.map((secret) => ({ ...secret, organizationId, apiKeyId }))
  return [
    ...(remove.length > 0 ? [secretStatements.deletion(remove)] : []),
    ...update.flatMap(({ id, values }) => secretStatements.update(id, values)),
    ...secretStatements.insertion(rows),
    ...verbs.map((verb) => auditing(recordEvent('api_key', verb, key))),
  ]
}
