import type { APIKey, APIKeyStatus } from '../../api/v1alpha1/apikey.ts'
import {
  type ApiKeyRow,
  type ApiKeySecretRow,
  apiKeyStore,
  secretsOfOwner,
} from '../../db/apikey.ts'
import { type OrganizationRow, theOrganization } from '../../db/organization.ts'
import type { ProjectRow } from '../../db/project.ts'
import { readInOrganization } from '../../db/transaction.ts'
import { type Outcome, type ReconcileContext, stalled, waiting } from '../../k8s/reconciler.ts'
import type { SecretObject } from '../../k8s/secret.ts'
import { examine, type Found } from '../declare.ts'
import { type OperatorDependencies, ownerOf } from '../dependencies.ts'
import { isWaiting, liveOrganization, liveProject, parentOf, projectReading } from '../reference.ts'
import { unwatched } from '../unwatched.ts'
import { apiKeyValues } from './concept.ts'
import { firstObjection } from './precondition.ts'

/** What is the case, read in one round trip and from the cache of Secrets. */
export interface Seen {
  readonly organization: OrganizationRow
  readonly project: ProjectRow | undefined
  readonly found: Found<ApiKeyRow>
  readonly values: Partial<ApiKeyRow>
  readonly secrets: readonly ApiKeySecretRow[]
  readonly secret: SecretObject | undefined
}

/** Looks at the record, its secrets and its Secret, and says why the key may not be in force, if so. */
export async function look(
  deps: OperatorDependencies,
  apiKey: APIKey,
  context: ReconcileContext,
): Promise<Seen | Outcome<APIKeyStatus>> {
  const owner = ownerOf(deps, apiKey)
  const [organizationRow, projectRow, row, secrets] = await readInOrganization(
    deps.pool,
    parentOf(deps, apiKey),
    [theOrganization, projectReading(deps, apiKey), apiKeyStore.of(owner), secretsOfOwner(owner)],
  )
  const organization = liveOrganization(organizationRow, apiKey, context)
  if (isWaiting(organization)) return organization
  const project = liveProject(deps, projectRow, apiKey, context)
  if (isWaiting(project)) return project
  const values = apiKeyValues(apiKey, project?.id)
  const found = examine(deps, apiKey, values, row)
  if ('conflict' in found) {
    return stalled<APIKeyStatus>('Conflict', found.conflict, unwatched(context))
  }
  const { allowPlainSecrets } = deps
  const objection = firstObjection({ apiKey, organization, allowPlainSecrets })
  if (objection) {
    const outcome = objection.wait ? waiting<APIKeyStatus> : stalled<APIKeyStatus>
    return outcome(objection.reason, objection.message)
  }
  return {
    organization,
    project,
    found,
    values,
    secrets: secrets.filter((secret) => secret.apiKeyId === row?.id),
    secret: await formerSecret(deps, apiKey, context),
  }
}

/** The Secret of a key that was delivered before. Of a new one there is none yet, or it is not ours. */
async function formerSecret(
  deps: OperatorDependencies,
  { metadata, spec, status }: APIKey,
  { signal }: ReconcileContext,
): Promise<SecretObject | undefined> {
  const name = spec.secretRef?.name
  if (name === undefined || !status?.keys) return undefined
  return deps.secrets.read(metadata.namespace, name, signal)
}
