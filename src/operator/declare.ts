import { type AuditEvent, appendAudit } from '../db/audit.ts'
import { reclaimId } from '../db/identity.ts'
import type { DeclaredRecord, RecordStore } from '../db/record.ts'
import { inOrganization, type Transaction } from '../db/transaction.ts'
import { describeOwner, type Owner, ownedBy } from '../domain/ownership.ts'
import { addsRecord, decideRecord, type RecordAction } from '../domain/record.ts'
import type { CommonStatus, CustomResource } from '../k8s/object.ts'
import { type ReconcileContext, type Stalled, stalled } from '../k8s/reconciler.ts'
import { isApplied } from './applied.ts'
import { type OperatorDependencies, operatorActor, ownerOf } from './dependencies.ts'
import { unwatched } from './unwatched.ts'

/** The concept that a kind declares: its name in the audit trail and its store. */
export interface Concept<Row extends DeclaredRecord> {
  readonly name: string
  readonly store: RecordStore<Row>
  /** Why there must not be one record more in the transaction's organization; undefined when there may. */
  readonly overQuota?: (tx: Transaction) => Promise<string | undefined>
}

interface Declarable extends CustomResource {
  readonly status?: (CommonStatus & { readonly id?: string | undefined }) | undefined
  readonly spec: CustomResource['spec'] & { readonly adoptionPolicy?: string | undefined }
}

export interface Declared<Row> {
  readonly row: Row
  readonly action: Exclude<RecordAction, { action: 'conflict' }>
}

/**
 * Makes the record of an organization agree with what a resource declares: one look, and a fenced transaction with its
 * audit event when something differs. A record of somebody else's is left alone.
 * @returns the record, or why it may not be this resource's
 */
export async function declare<Row extends DeclaredRecord>(
  deps: OperatorDependencies,
  concept: Concept<Row>,
  object: Declarable,
  { organizationId, values }: { readonly organizationId: string; readonly values: Partial<Row> },
  context: ReconcileContext,
): Promise<Declared<Row> | Stalled> {
  const tenant = { organizationId, actor: operatorActor }
  const look = (tx: Transaction) => examine(deps, concept, object, values, tx)
  const seen = await inOrganization(deps.pool, tenant, look)
  if ('conflict' in seen) return stalled('Conflict', seen.conflict, unwatched(context))
  if (seen.row && seen.action.action === 'none') return { row: seen.row, action: seen.action }
  const id = seen.row?.id ?? (await reclaimId(deps.pool, object.status?.id))
  // Looked at again with the fence held: between the two looks the record may have changed.
  return inOrganization(deps.pool, { ...tenant, fence: deps.fence() }, async (tx) => {
    const found = await look(tx)
    if ('conflict' in found) return stalled('Conflict', found.conflict, unwatched(context))
    const objection = addsRecord(found.action) ? await concept.overQuota?.(tx) : undefined
    if (objection !== undefined) return stalled('QuotaExceeded', objection, unwatched(context))
    const identity = { ...ownerOf(deps, object), organizationId, id }
    const row = await carryOut(concept, tx, found, values, identity)
    return { row, action: found.action }
  })
}

export interface Found<Row> {
  readonly row: Row | undefined
  readonly action: Exclude<RecordAction, { action: 'conflict' }>
}

/** What is to be done about the record, by what is in the database now. */
export async function examine<Row extends DeclaredRecord>(
  deps: OperatorDependencies,
  concept: Concept<Row>,
  object: Declarable,
  values: Partial<Row>,
  tx: Transaction,
): Promise<Found<Row> | { readonly conflict: string }> {
  const owner = ownerOf(deps, object)
  const row = await concept.store.find(tx, owner)
  const action = decideRecord(
    row,
    owner,
    { ...values, name: owner.name },
    {
      adopt: object.spec.adoptionPolicy === 'IfUnowned',
      applied: isApplied(object),
    },
  )
  if (action.action !== 'conflict') return { row, action }
  return { conflict: conflictMessage(object, row as Row, action.adoptable) }
}

/**
 * Carries a decision out in the caller's transaction, with its audit event.
 * @param identity whose the record is, and the id that it gets if there is none yet
 */
export async function carryOut<Row extends DeclaredRecord>(
  concept: Concept<Row>,
  tx: Transaction,
  { row, action }: Found<Row>,
  values: Partial<Row>,
  identity: Owner & { readonly organizationId: string; readonly id: string },
): Promise<Row> {
  if (action.action === 'none') return row as Row
  const { organizationId, id, ...owner } = identity
  const whole = { ...values, name: owner.name, ...ownedBy(owner) } as Partial<Row>
  if (action.action === 'insert') {
    const inserted = await concept.store.insert(tx, { ...whole, organizationId, id })
    await appendAudit(tx, [recordEvent(concept.name, 'created', inserted)])
    return inserted
  }
  const revived = row?.deletedAt ? { deletedAt: null } : {}
  const updated = await concept.store.update(tx, (row as Row).id, { ...whole, ...revived })
  const verb = action.why === 'drifted' ? 'drift_repaired' : action.why
  await appendAudit(tx, [recordEvent(concept.name, verb, updated, { fields: action.fields })])
  return updated
}

/** An audit event about a record, by the operator. */
export function recordEvent(
  concept: string,
  verb: string,
  record: { readonly organizationId: string; readonly id: string; readonly name: string },
  detail: Record<string, unknown> = {},
): AuditEvent {
  return {
    organizationId: record.organizationId,
    actorKind: 'operator',
    actor: operatorActor,
    action: `${concept}.${verb}`,
    targetKind: concept,
    targetId: record.id,
    targetName: record.name,
    detail,
  }
}

export function conflictMessage(
  object: { readonly kind: string; readonly metadata: { readonly name: string } },
  row: Parameters<typeof describeOwner>[1],
  adoptable: boolean,
): string {
  const owner = describeOwner(object.kind, row)
  const remedy = adoptable
    ? 'set spec.adoptionPolicy to IfUnowned to take it over, delete it there, or choose another name'
    : row.deletedAt
      ? 'make it there again with deletionPolicy Delete and delete it, or choose another name'
      : 'delete it there with deletionPolicy Delete, or choose another name'
  return `${object.kind} "${object.metadata.name}" exists already and belongs to ${owner}: ${remedy}.`
}
