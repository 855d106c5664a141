import { defaultDeletionPolicy } from '../api/v1alpha1/lifecycle.ts'
import {
  type Organization,
  type OrganizationStatus,
  organizationKind,
} from '../api/v1alpha1/organization.ts'
import { auditing, hasHappened } from '../db/audit.ts'
import { type DataKeyRow, dataKeyOf, dataKeyStatements } from '../db/datakey.ts'
import { newId, reclaimId } from '../db/identity.ts'
import {
  findOrganization,
  insertOrganization,
  type OrganizationRow,
  organizationByName,
  purgeOrganization,
  theOrganization,
  updateOrganization,
} from '../db/organization.ts'
import { type Owners, peopleOfOwners } from '../db/ownerinvitation.ts'
import { carryOut, inOrganization, type Transaction } from '../db/transaction.ts'
import { defaultApiKeyPrefix } from '../domain/apikey.ts'
import { canonicalEmail } from '../domain/email.ts'
import { decideOwnerInvitations, ownerInvitationLifetime } from '../domain/ownerinvitation.ts'
import { ownedBy } from '../domain/ownership.ts'
import { decideRecord, type RecordAction } from '../domain/record.ts'
import { ConflictError } from '../k8s/errors.ts'
import { objectKey, referenceKey } from '../k8s/object.ts'
import {
  done,
  type ReconcileContext,
  type Reconciler,
  type Stalled,
  stalled,
  type Waiting,
} from '../k8s/reconciler.ts'
import { KeyManagementError } from '../kms/keymanagement.ts'
import { describeReference, type KeyReference } from '../kms/reference.ts'
import { isApplied, isChanged } from './applied.ts'
import { blockedBy } from './children.ts'
import { activeDataKey, type DataKeyTenant } from './datakey.ts'
import { conflictMessage, recordEvent } from './declare.ts'
import { type OperatorDependencies, operatorActor, ownerOf } from './dependencies.ts'
import { driftEvents } from './drift.ts'
import { chosenKey } from './encryptionkey/choice.ts'
import { lineOf } from './encryptionkey/reference.ts'
import { keyTrouble } from './keytrouble.ts'
import { ownerStatements } from './owners.ts'
import { isAhead, raisesRevocation, revocationOf } from './revocation.ts'
import { unwatched } from './unwatched.ts'

interface Applied {
  readonly id: string
  readonly action: RecordAction
  readonly encryptionKey: OrganizationRow['encryptionKey']
  /** When the first invitation of an owner expires. */
  readonly invitationEnds: Date | undefined
}

/** An Organization is a row of `organizations`, which is the tenant itself. */
export class OrganizationReconciler implements Reconciler<Organization> {
  readonly resource = organizationKind
  readonly #deps: OperatorDependencies

  constructor(deps: OperatorDependencies) {
    this.#deps = deps
  }

  references({ metadata, spec }: Organization): readonly string[] {
    const { encryptionKeyRef } = spec
    return encryptionKeyRef
      ? [referenceKey('EncryptionKey', metadata.namespace, encryptionKeyRef.name)]
      : []
  }

  async reconcile(organization: Organization, context: ReconcileContext) {
    const deps = this.#deps
    if (isAhead(organization, context.now())) {
      return stalled<OrganizationStatus>(
        'RevocationAhead',
        `spec.sessions.revokedBefore is ${organization.spec.sessions?.revokedBefore}, more than a minute ahead: it would sign everybody out, as fast as they sign in, until then. Nothing of this spec was put in force. Set it to a moment that has passed, such as ${context.now().toISOString().slice(0, 19)}Z.`,
      )
    }
    const claimed = await this.#claim(organization, context)
    if ('outcome' in claimed) return claimed
    const applied = await this.#apply(organization, claimed.id, context)
    if ('outcome' in applied) return applied
    const { id, action, encryptionKey, invitationEnds } = applied
    const line = encryptionKey && describeReference(encryptionKey as KeyReference)
    return done<OrganizationStatus>(`Organization "${organization.metadata.name}" is in force.`, {
      reason: 'Succeeded',
      status: { id, ...(line !== null && { encryptionKey: line }) },
      events: driftEvents(deps, organization, action),
      ...(invitationEnds && { requeueAt: invitationEnds }),
    })
  }

  async finalize(organization: Organization, context: ReconcileContext) {
    const blocked = blockedBy<OrganizationStatus>(organization, context)
    if (blocked) return blocked
    const deps = this.#deps
    const found = await findOrganization(deps.pool, ownerOf(deps, organization))
    if (found) {
      const purge = (organization.spec.deletionPolicy ?? defaultDeletionPolicy) === 'Delete'
      await this.#write(found.id, [], (tx, row) =>
        removeOrganization(tx, row, purge, context.now()),
      )
    }
    return done<OrganizationStatus>('The organization is deleted.')
  }

  /** The id of the record that is ours or may be taken over; undefined when there is none yet. */
  async #claim(
    organization: Organization,
    context: ReconcileContext,
  ): Promise<{ id: string | undefined } | Stalled<OrganizationStatus>> {
    const deps = this.#deps
    const ours = await findOrganization(deps.pool, ownerOf(deps, organization))
    if (ours) return { id: ours.id }
    const named = await organizationByName(deps.pool, organization.metadata.name)
    if (!named) return { id: undefined }
    const adoptable = named.managedBy === 'api'
    if (!adoptable || organization.spec.adoptionPolicy !== 'IfUnowned') {
      const message = conflictMessage(organization, named, adoptable)
      return stalled('Conflict', message, unwatched(context))
    }
    // Whoever may write in some namespace must not be able to take over a tenant by naming it.
    if (
      !deps.adoptOrganizations.some(
        (allowed) => allowed === '*' || allowed === objectKey(organization),
      )
    ) {
      return stalled(
        'AdoptionNotAllowed',
        `Organization "${organization.metadata.name}" was made through the HTTP API, and this namespace may not take it over: have the operator's administrator list ${objectKey(organization)} in CARDEA_ADOPT_ORGANIZATIONS.`,
      )
    }
    return { id: named.id }
  }

  async #apply(
    organization: Organization,
    existing: string | undefined,
    context: ReconcileContext,
  ): Promise<Applied | Waiting<OrganizationStatus> | Stalled<OrganizationStatus>> {
    const deps = this.#deps
    const owner = ownerOf(deps, organization)
    const id = existing ?? (await this.#freeId(organization))
    const reader = { organizationId: id, actor: operatorActor }
    // Nobody can sign in with an address that is not canonical.
    const owners = (organization.spec.owners ?? []).filter((one) => canonicalEmail(one) === one)
    const readings = [theOrganization, dataKeyOf(), peopleOfOwners(owners)] as const
    const read = async (
      _tx: unknown,
      row: OrganizationRow | undefined,
      dataKey: DataKeyRow | undefined,
      people: Owners,
    ) => ({ row, dataKey, people })
    const seen = await inOrganization(deps.pool, reader, read, readings)
    const choice = chosenKey(organization, seen.row, context)
    if ('outcome' in choice) return choice
    const { encryptionKey } = choice
    const values = { ...organizationValues(organization), encryptionKey }
    const decide = (row: OrganizationRow | undefined) =>
      decideRecord(
        row,
        owner,
        {
          ...values,
          name: owner.name,
          ...(raisesRevocation(organization, row) && revocationOf(organization)),
        },
        {
          adopt: existing !== undefined,
          applied: isApplied(organization) && keyIsApplied(organization, encryptionKey),
        },
      )
    const invitations = ({ accounts, pending }: Owners) =>
      decideOwnerInvitations(owners, accounts, pending, {
        inviting: deps.inviteOwners,
        changed: isChanged(organization),
        now: context.now(),
      })
    const planned = decide(seen.row)
    const wanted = ownerStatements(id, invitations(seen.people))
    const whole = {
      ...values,
      ...revocationOf(organization),
      ...ownedBy(owner),
      id,
      name: owner.name,
    }
    const action =
      planned.action === 'none' && wanted.length === 0
        ? planned
        : await this.#write(id, owners, (tx, row, people) =>
            writeOrganization(tx, decide(row), whole, ownerStatements(id, invitations(people))),
          )
    if (action.action === 'update' && action.fields.includes('encryptionKey')) deps.rotateSoon()
    const tenant = { ...whole, organizationId: id }
    const objection = seen.dataKey ? undefined : await this.#firstDataKey(tenant, context)
    const { next } = invitations(seen.people)
    const invitationEnds =
      wanted.length > 0 ? new Date(context.now().getTime() + ownerInvitationLifetime) : next
    return objection ?? { id, action, encryptionKey, invitationEnds }
  }

  /** Every organization has a data key, so that what is to be sealed need not wait for the KMS. */
  async #firstDataKey(
    tenant: DataKeyTenant,
    context: ReconcileContext,
  ): Promise<Waiting<OrganizationStatus> | Stalled<OrganizationStatus> | undefined> {
    try {
      await activeDataKey(this.#deps, tenant, context.signal)
      return undefined
    } catch (error) {
      if (!(error instanceof KeyManagementError)) throw error
      const trouble = keyTrouble<OrganizationStatus>(error, context)
      return { ...trouble, message: `The organization has no data key yet. ${trouble.message}` }
    }
  }

  /** The id of the row that was lost, or a new one. That of a purged tenant is not given again: its audit trail is its own. */
  async #freeId(organization: Organization): Promise<string> {
    const { pool } = this.#deps
    const id = await reclaimId(pool, organization.status?.id)
    const tenant = { organizationId: id, actor: operatorActor }
    const purged = await inOrganization(pool, tenant, (tx) =>
      hasHappened(tx, 'organization.deleted'),
    )
    return purged ? newId() : id
  }

  #write<T>(
    organizationId: string,
    owners: readonly string[],
    work: (tx: Transaction, row: OrganizationRow | undefined, people: Owners) => Promise<T>,
  ): Promise<T> {
    const deps = this.#deps
    const tenant = { organizationId, actor: operatorActor, fence: deps.fence() }
    return inOrganization(deps.pool, tenant, work, [theOrganization, peopleOfOwners(owners)])
  }
}

/** Whether the key was in force before: the resource that names it changes without the Organization. */
function keyIsApplied(
  { status }: Organization,
  encryptionKey: OrganizationRow['encryptionKey'],
): boolean {
  return (status?.encryptionKey ?? null) === lineOf(encryptionKey)
}

/** @param further what is written with it, once the organization is there */
async function writeOrganization(
  tx: Transaction,
  action: RecordAction,
  values: ReturnType<typeof organizationValues> &
    ReturnType<typeof ownedBy> &
    Pick<OrganizationRow, 'id' | 'name' | 'encryptionKey'> &
    Partial<Pick<OrganizationRow, 'sessionsRevokedBefore'>>,
  further: readonly string[],
): Promise<RecordAction> {
  if (action.action === 'conflict')
    throw new ConflictError('another took the organization meanwhile')
  const record = { organizationId: values.id, id: values.id, name: values.name }
  const { sessionsRevokedBefore } = values
  const revoking = sessionsRevokedBefore ? { sessionsRevokedBefore } : {}
  if (action.action === 'insert') {
    const event = recordEvent('organization', 'created', record, revoking)
    await carryOut(tx, [insertOrganization(values), auditing(event), ...further], [])
  } else if (action.action === 'update') {
    const verb = action.why === 'drifted' ? 'drift_repaired' : action.why
    const event = recordEvent('organization', verb, record, {
      fields: action.fields,
      ...(action.fields.includes('sessionsRevokedBefore') && revoking),
    })
    const revived = { ...values, deletedAt: null }
    await carryOut(tx, [updateOrganization(values.id, revived), auditing(event), ...further], [])
  } else if (further.length > 0) {
    await carryOut(tx, further, [])
  }
  return action
}

async function removeOrganization(
  tx: Transaction,
  row: OrganizationRow | undefined,
  purge: boolean,
  now: Date,
): Promise<void> {
  if (!row || (row.deletedAt && !purge)) return
  const { id } = row
  const record = { organizationId: id, id, name: row.name }
  const event = recordEvent('organization', purge ? 'deleted' : 'retained', record)
  // The data keys first: whatever a backup has of the rest, nobody reads it any more.
  const gone = purge
    ? [dataKeyStatements.erasure, ...purgeOrganization(id)]
    : [updateOrganization(id, { deletedAt: now })]
  await carryOut(tx, [...gone, auditing(event)], [])
}

/** The row's values that the spec rules. What has no column of its own is kept as it was written. */
function organizationValues(organization: Organization) {
  const { displayName, domains, owners, management, apiKeys, sessions, ...rest } = organization.spec
  const { revokedBefore: _revokedBefore, ...ofSessions } = sessions ?? {}
  const {
    suspend: _suspend,
    encryptionKeyRef: _key,
    adoptionPolicy: _adoption,
    deletionPolicy: _deletion,
    ...settings
  } = rest
  return {
    displayName,
    domains: domains ?? [],
    owners: owners ?? [],
    management: management ?? 'Mixed',
    apiKeyPrefix: apiKeys?.prefix ?? defaultApiKeyPrefix,
    settings: {
      ...settings,
      ...(Object.keys(ofSessions).length > 0 && { sessions: ofSessions }),
      ...(apiKeys?.maxLifetime && { apiKeys: { maxLifetime: apiKeys.maxLifetime } }),
    },
  } satisfies Partial<OrganizationRow>
}
