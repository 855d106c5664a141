import type { APIKey, APIKeyStatus } from '../../api/v1alpha1/apikey.ts'
import { rotateRequestedAt } from '../../api/v1alpha1/group.ts'
import {
  type ApiKeyRow,
  type ApiKeySecretRow,
  apiKeyStore,
  insertSecret,
  loadSecrets,
  removeSecrets,
  updateSecret,
} from '../../db/apikey.ts'
import { appendAudit } from '../../db/audit.ts'
import { reclaimId } from '../../db/identity.ts'
import { inOrganization, type Transaction } from '../../db/transaction.ts'
import { addsRecord, type RecordAction } from '../../domain/record.ts'
import { ConflictError } from '../../k8s/errors.ts'
import {
  type Outcome,
  type ReconcileContext,
  type ReconcileEvent,
  stalled,
} from '../../k8s/reconciler.ts'
import { carryOut, examine, recordEvent } from '../declare.ts'
import { type OperatorDependencies, operatorActor, ownerOf } from '../dependencies.ts'
import { repairEvent } from '../drift.ts'
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
  const moment = { id, now, requested, expired, suspicious }
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
  const value = apiKey.spec.secretRef && apiKey.metadata.annotations?.[rotateRequestedAt]
  // As PostgreSQL keeps it, which knows neither half a character nor NUL: otherwise it never reads as answered.
  return value?.slice(0, 253).toWellFormed().replaceAll('\0', '\uFFFD')
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
  return inOrganization(deps.pool, tenant, async (tx) => {
    const found = await examine(deps, apiKeyConcept, apiKey, seen.values, tx)
    if ('conflict' in found) throw new ConflictError('another took the key meanwhile')
    if (found.row?.id !== seen.found.row?.id)
      throw new ConflictError('the record changed meanwhile')
    const objection = addsRecord(found.action) ? await overQuota(tx, seen) : undefined
    if (objection !== undefined) return stalled('QuotaExceeded', objection, unwatched(context))
    await expectUnchanged(tx, id, seen.secrets)
    const identity = { ...ownerOf(deps, apiKey), organizationId, id }
    const declared = await carryOut(apiKeyConcept, tx, found, seen.values, identity)
    // No value of the spec, so that a rotation that was asked for is not taken for drift.
    const row =
      declared.rotationHandled === rotationHandled
        ? declared
        : await apiKeyStore.update(tx, declared.id, { rotationHandled })
    await writeSecrets(tx, row, changes)
    return { row, secrets: await loadSecrets(tx, row.id), action: found.action }
  })
}

/** The plan was made for these secrets: if others are there by now, it is made anew. */
async function expectUnchanged(
  tx: Transaction,
  id: string,
  seen: readonly ApiKeySecretRow[],
): Promise<void> {
  const now = await loadSecrets(tx, id)
  const same =
    now.length === seen.length &&
    now.every((row, at) => row.id === seen[at]?.id && row.digest.equals(seen[at].digest))
  if (!same) throw new ConflictError('the secrets changed meanwhile')
}

async function writeSecrets(
  tx: Transaction,
  row: ApiKeyRow,
  changes: SecretChanges,
): Promise<void> {
  await removeSecrets(tx, changes.remove)
  for (const { id, values } of changes.update) await updateSecret(tx, id, values)
  for (const secret of changes.insert) {
    await insertSecret(tx, { ...secret, organizationId: row.organizationId, apiKeyId: row.id })
  }
  await appendAudit(
    tx,
    changes.verbs.map((verb) => recordEvent('api_key', verb, row)),
  )
}
