import type {
  ProviderCredential,
  ProviderCredentialStatus,
} from '../../api/v1alpha1/providercredential.ts'
import { auditing } from '../../db/audit.ts'
import { type DataKeyRow, isSameDataKey, sealingDataKey } from '../../db/datakey.ts'
import { reclaimId } from '../../db/identity.ts'
import { serializeOrganization } from '../../db/organization.ts'
import {
  credentialsFor,
  type ProviderCredentialRow,
  type ProviderCredentialVersionRow,
  providerCredentialStore,
  versionStatements,
  versionsOfOwner,
} from '../../db/providercredential.ts'
import { carryOut, inOrganization, type Transaction } from '../../db/transaction.ts'
import type { RecordAction } from '../../domain/record.ts'
import { ConflictError } from '../../k8s/errors.ts'
import { type Outcome, type ReconcileContext, stalled } from '../../k8s/reconciler.ts'
import { examine, recordEvent, statements } from '../declare.ts'
import { type OperatorDependencies, operatorActor, ownerOf } from '../dependencies.ts'
import { unwatched } from '../unwatched.ts'
import { providerCredentialConcept as concept } from './concept.ts'
import { projectOf, rivalry, type Seen } from './look.ts'
import { type NewVersion, sealVersion } from './value.ts'

/** The record and its versions as they stand after a pass. */
export interface Applied {
  readonly row: ProviderCredentialRow
  readonly versions: readonly ProviderCredentialVersionRow[]
  readonly action: RecordAction
}

/**
 * Makes the record agree with the spec, and gives it a new version where one is wanted, in one fenced transaction.
 * @param value what the next version is to hold; undefined: the one in force stays
 */
export async function applyCredential(
  deps: OperatorDependencies,
  object: ProviderCredential,
  seen: Seen,
  value: Buffer | undefined,
  context: ReconcileContext,
): Promise<Applied | Outcome<ProviderCredentialStatus>> {
  const { found, versions } = seen
  if (value === undefined && found.row && found.action.action === 'none') {
    return { row: found.row, versions, action: found.action }
  }
  const id = found.row?.id ?? (await reclaimId(deps.pool, object.status?.id))
  const version = value && (await sealVersion(deps, seen, id, value, context.now(), context.signal))
  return write(deps, object, seen, { id, version }, context)
}

async function write(
  deps: OperatorDependencies,
  object: ProviderCredential,
  seen: Seen,
  wanted: { readonly id: string; readonly version: NewVersion | undefined },
  context: ReconcileContext,
): Promise<Applied | Outcome<ProviderCredentialStatus>> {
  const { id, version } = wanted
  const organizationId = seen.organization.id
  const tenant = { organizationId, actor: operatorActor, fence: deps.fence() }
  const owner = ownerOf(deps, object)
  const readings = [providerCredentialStore.of(owner), versionsOfOwner(owner)] as const
  const work = async (
    tx: Transaction,
    row: ProviderCredentialRow | undefined,
    versions: readonly ProviderCredentialVersionRow[],
    dataKey: DataKeyRow | undefined,
  ) => {
    const found = examine(deps, object, seen.values, row)
    if ('conflict' in found) throw new ConflictError('another took the credential meanwhile')
    if (row?.id !== seen.found.row?.id) throw new ConflictError('the record changed meanwhile')
    const own = versions.filter((each) => each.providerCredentialId === row?.id)
    expectUnchanged(own, seen.versions)
    if (version && !isSameDataKey(version.dataKey, dataKey)) {
      throw new ConflictError('another data key seals by now')
    }
    if (found.action.action !== 'none') {
      const objection = await rivalNow(tx)
      if (objection !== undefined) {
        return stalled('DuplicateProvider', objection, unwatched(context))
      }
    }
    const identity = { ...owner, organizationId, id }
    const texts = [
      ...statements(concept, found, seen.values, identity),
      ...(version ? versionTexts(identity, version, context.now()) : []),
    ]
    const [after, all] = await carryOut(tx, texts, readings)
    return {
      row: after as ProviderCredentialRow,
      versions: all.filter((each) => each.providerCredentialId === id),
      action: found.action,
    }
  }
  // Of two that are applied at once the second must see the first.
  const rivalNow = async (tx: Transaction): Promise<string | undefined> => {
    await serializeOrganization(tx, organizationId)
    const rivals = credentialsFor(object.spec.provider, projectOf(deps, object))
    return rivalry(object, id, (await carryOut(tx, [], [rivals]))[0])
  }
  return inOrganization(deps.pool, tenant, work, [...readings, sealingDataKey] as const)
}

/** The plan was made for these versions: if others are there by now, it is made anew. */
function expectUnchanged(
  now: readonly ProviderCredentialVersionRow[],
  seen: readonly ProviderCredentialVersionRow[],
): void {
  const same =
    now.length === seen.length &&
    now.every((row, at) => row.id === seen[at]?.id && row.sealed.equals(seen[at].sealed))
  if (!same) throw new ConflictError('the versions changed meanwhile')
}

function versionTexts(
  credential: { readonly organizationId: string; readonly id: string; readonly name: string },
  { row, plan }: NewVersion,
  now: Date,
): readonly string[] {
  const { version, fingerprint } = row
  const event = recordEvent(concept.name, 'version_added', credential, { version, fingerprint })
  return [
    ...(plan.revoke.length > 0 ? [versionStatements.revocation(plan.revoke, now)] : []),
    ...(plan.remove.length > 0 ? [versionStatements.deletion(plan.remove)] : []),
    versionStatements.insertion(row),
    auditing(event),
  ]
}
