import type { APIKey, APIKeyStatus } from '../../api/v1alpha1/apikey.ts'
import { type ApiKeyRow, type ApiKeySecretRow, loadSecrets } from '../../db/apikey.ts'
import { loadOrganization, type OrganizationRow } from '../../db/organization.ts'
import type { ProjectRow } from '../../db/project.ts'
import { inOrganization } from '../../db/transaction.ts'
import { type Outcome, type ReconcileContext, stalled, waiting } from '../../k8s/reconciler.ts'
import type { SecretObject } from '../../k8s/secret.ts'
import { examine, type Found } from '../declare.ts'
import { type OperatorDependencies, operatorActor } from '../dependencies.ts'
import { isWaiting, resolveProject } from '../reference.ts'
import { unwatched } from '../unwatched.ts'
import { apiKeyConcept, apiKeyValues } from './concept.ts'
import { firstObjection } from './precondition.ts'

/** What is the case, read in one transaction and from the cache of Secrets. */
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
  organizationId: string,
  context: ReconcileContext,
): Promise<Seen | Outcome<APIKeyStatus>> {
  const seen = await inOrganization(
    deps.pool,
    { organizationId, actor: operatorActor },
    async (tx) => {
      const organization = await loadOrganization(tx)
      if (!organization)
        return waiting<APIKeyStatus>(
          'OrganizationNotReady',
          'The organization was deleted meanwhile.',
        )
      const project = await resolveProject(deps, apiKey, context, tx)
      if (isWaiting(project)) return project
      const values = apiKeyValues(apiKey, project?.id)
      const found = await examine(deps, apiKeyConcept, apiKey, values, tx)
      if ('conflict' in found) {
        return stalled<APIKeyStatus>('Conflict', found.conflict, unwatched(context))
      }
      const secrets = found.row ? await loadSecrets(tx, found.row.id) : []
      return { organization, project, found, values, secrets }
    },
  )
  if ('outcome' in seen) return seen
  const { allowPlainSecrets } = deps
  const objection = firstObjection({ apiKey, organization: seen.organization, allowPlainSecrets })
  if (objection) {
    const outcome = objection.wait ? waiting<APIKeyStatus> : stalled<APIKeyStatus>
    return outcome(objection.reason, objection.message)
  }
  const name = apiKey.spec.secretRef?.name
  const secret =
    name === undefined
      ? undefined
      : await deps.secrets.read(apiKey.metadata.namespace, name, context.signal)
  return { ...seen, secret }
}
