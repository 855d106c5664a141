import { type AuditEvent, auditing } from '../db/audit.ts'
import { reclaimId } from '../db/identity.ts'
import { type OrganizationRow, theOrganization } from '../db/organization.ts'
import type { DeclaredRecord, RecordStore } from '../db/record.ts'
import type { Read, Reading } from '../db/statement.ts'
import {
  carryOut,
  inOrganization,
  readInOrganization,
  type Transaction,
} from '../db/transaction.ts'
import { describeOwner, type Owner, ownedBy } from '../domain/ownership.ts'
import { addsRecord, decideRecord, type RecordAction } from '../domain/record.ts'
import type { CommonStatus } from '../k8s/object.ts'
import { type ReconcileContext, type Stalled, stalled, type Waiting } from '../k8s/reconciler.ts'
import { isApplied } from './applied.ts'
import { type OperatorDependencies, operatorActor, ownerOf } from './dependencies.ts'
import { type Belonging, isWaiting, liveOrganization, parentOf } from './reference.ts'
import { unwatched } from './unwatched.ts'

/** The concept that a kind declares: its name in the audit trail and its store. */
export interface Concept<Row extends DeclaredRecord> {
  readonly name: string
  readonly store: RecordStore<Row>
  /** Why there must not be one record more in the transaction's organization; undefined when there may. */
  readonly overQuota?: (
    tx: Transaction,
    organization: OrganizationRow,
  ) => Promise<string | undefined>
}

interface Declarable extends Belonging {
  readonly status?: (CommonStatus & { readonly id?: string | undefined }) | undefined
  readonly spec: Belonging['spec'] & { readonly adoptionPolicy?: string | undefined }
}

/** What a resource says of its record, by what else is in the database. */
export interface Declaration<Row, Needed extends readonly Reading<unknown>[]> {
  readonly needs: Needed
  /** The row's values that the spec rules, or why it waits. */
  readonly values: (...needed: Read<Needed>) => Partial<Row> | Waiting
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
export async function declare<
  Row extends DeclaredRecord,
  const Needed extends readonly Reading<unknown>[],
>(
  deps: OperatorDependencies,
  concept: Concept<Row>,
  object: Declarable,
  declaration: Declaration<Row, Needed>,
  context: ReconcileContext,
): Promise<Declared<Row> | Stalled | Waiting> {
  const record = concept.store.of(ownerOf(deps, object))
  const readings = [theOrganization, record, ...declaration.needs] as const
  const parent = parentOf(deps, object)
  const [parentRow, before, ...needed] = await readInOrganization(deps.pool, parent, readings)
  const organization = liveOrganization(parentRow, object, context)
  if (isWaiting(organization)) return organization
  const values = declaration.values(...(needed as unknown as Read<Needed>))
  if (isWaiting(values)) return values
  const seen = examine(deps, object, values, before)
  if ('conflict' in seen) return stalled('Conflict', seen.conflict, unwatched(context))
  if (seen.row && seen.action.action === 'none') return { row: seen.row, action: seen.action }
  const id = seen.row?.id ?? (await reclaimId(deps.pool, object.status?.id))
  const tenant = { organizationId: organization.id, actor: operatorActor, fence: deps.fence() }
  // Looked at again with the fence held: between the two looks the record may have changed.
  const write = async (tx: Transaction, now: Row | undefined) => {
    const found = examine(deps, object, values, now)
    if ('conflict' in found) return stalled('Conflict', found.conflict, unwatched(context))
    const objection = addsRecord(found.action)
      ? await concept.overQuota?.(tx, organization)
      : undefined
    if (objection !== undefined) return stalled('QuotaExceeded', objection, unwatched(context))
    const identity = { ...ownerOf(deps, object), organizationId: organization.id, id }
    const [row] = await carryOut(tx, statements(concept, found, values, identity), [record])
    return { row: row as Row, action: found.action }
  }
  return inOrganization(deps.pool, tenant, write, [record])
}

export interface Found<Row> {
  readonly row: Row | undefined
  readonly action: Exclude<RecordAction, { action: 'conflict' }>
}

/**
 * What is to be done about the record.
 * @param row what is in the database now
 */
export function examine<Row extends DeclaredRecord>(
  deps: OperatorDependencies,
  object: Declarable,
  values: Partial<Row>,
  row: Row | undefined,
): Found<Row> | { readonly conflict: string } {
  const owner = ownerOf(deps, object)
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
 * The statements that carry a decision out, with its audit event.
 * @param identity whose the record is, and the id that it gets if there is none yet
 */
export function statements<Row extends DeclaredRecord>(
  { name: concept, store }: Concept<Row>,
  { row, action }: Found<Row>,
  values: Partial<Row>,
  identity: Owner & { readonly organizationId: string; readonly id: string },
): readonly string[] {
  if (action.action === 'none') return []
  const { organizationId, id, name } = identity
  const whole = { ...values, name, ...ownedBy(identity) } as Partial<Row>
  if (action.action === 'insert') {
    const event = recordEvent(concept, 'created', identity)
    return [store.insertion({ ...whole, organizationId, id }), auditing(event)]
  }
  const revived = row?.deletedAt ? { deletedAt: null } : {}
  const verb = action.why === 'drifted' ? 'drift_repaired' : action.why
  const event = recordEvent(concept, verb, identity, { fields: action.fields })
  return [store.update(id, { ...whole, ...revived }), auditing(event)]
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
