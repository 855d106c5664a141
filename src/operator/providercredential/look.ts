import type {
  ProviderCredential,
  ProviderCredentialStatus,
} from '../../api/v1alpha1/providercredential.ts'
import { allDataKeys, type DataKeyRow } from '../../db/datakey.ts'
import { nextDataKeyVersion } from '../../db/encryption.ts'
import { type OrganizationRow, theOrganization } from '../../db/organization.ts'
import {
  credentialsFor,
  type ProviderCredentialRow,
  type ProviderCredentialVersionRow,
  providerCredentialStore,
  versionsOfOwner,
} from '../../db/providercredential.ts'
import { readInOrganization } from '../../db/transaction.ts'
import type { Owner } from '../../domain/ownership.ts'
import { type Outcome, type ReconcileContext, stalled } from '../../k8s/reconciler.ts'
import { examine, type Found } from '../declare.ts'
import { type OperatorDependencies, ownerOf } from '../dependencies.ts'
import { isWaiting, liveOrganization, liveProject, parentOf, projectReading } from '../reference.ts'
import { unwatched } from '../unwatched.ts'
import { providerCredentialValues } from './concept.ts'

/** What is the case, read in one round trip. */
export interface Seen {
  readonly organization: OrganizationRow
  readonly found: Found<ProviderCredentialRow>
  readonly values: Partial<ProviderCredentialRow>
  /** Of this credential. */
  readonly versions: readonly ProviderCredentialVersionRow[]
  readonly dataKeys: readonly DataKeyRow[]
  /** The version of the data key that would be made. */
  readonly nextDataKey: number
}

/** Looks at the record and its versions, and says why the credential may not be in force, if so. */
export async function look(
  deps: OperatorDependencies,
  object: ProviderCredential,
  context: ReconcileContext,
): Promise<Seen | Outcome<ProviderCredentialStatus>> {
  const owner = ownerOf(deps, object)
  const [organizationRow, projectRow, row, versions, rivals, dataKeys, nextDataKey] =
    await readInOrganization(deps.pool, parentOf(deps, object), [
      theOrganization,
      projectReading(deps, object),
      providerCredentialStore.of(owner),
      versionsOfOwner(owner),
      credentialsFor(object.spec.provider, projectOf(deps, object)),
      allDataKeys,
      nextDataKeyVersion,
    ])
  const organization = liveOrganization(organizationRow, object, context)
  if (isWaiting(organization)) return organization
  const project = liveProject(deps, projectRow, object, context)
  if (isWaiting(project)) return project
  const values = providerCredentialValues(object, project?.id)
  const found = examine(deps, object, values, row)
  if ('conflict' in found) return stalled('Conflict', found.conflict, unwatched(context))
  const objection = rivalry(object, row?.id, rivals)
  if (objection !== undefined) return stalled('DuplicateProvider', objection, unwatched(context))
  const own = versions.filter((version) => version.providerCredentialId === row?.id)
  return { organization, found, values, versions: own, dataKeys, nextDataKey }
}

/** Why there must not be this credential beside another one for the same provider; undefined when there is no other. */
export function rivalry(
  { spec }: ProviderCredential,
  id: string | undefined,
  there: readonly ProviderCredentialRow[],
): string | undefined {
  const rival = there.find((row) => row.id !== id)
  if (!rival) return undefined
  const { organizationRef, projectRef, provider } = spec
  const whose = projectRef
    ? `Project "${projectRef.name}"`
    : `Organization "${organizationRef.name}"`
  return `${whose} has a credential for provider "${provider}" already, ProviderCredential "${rival.name}": delete one of the two, or correct spec.provider.`
}

/** The Project that a credential is for, as the owner of a row. */
export function projectOf(
  deps: OperatorDependencies,
  object: ProviderCredential,
): Owner | undefined {
  const { projectRef } = object.spec
  return projectRef && { ...parentOf(deps, object), name: projectRef.name }
}
