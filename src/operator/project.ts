import { defaultDeletionPolicy } from '../api/v1alpha1/lifecycle.ts'
import { type Project, type ProjectStatus, projectKind } from '../api/v1alpha1/project.ts'
import {
  countRecords,
  type OrganizationRow,
  purgeProject,
  serializeOrganization,
} from '../db/organization.ts'
import { type ProjectRow, projectStore } from '../db/project.ts'
import type { Transaction } from '../db/transaction.ts'
import { withdrawing } from '../db/withdrawal.ts'
import { quotaOf } from '../domain/quota.ts'
import { done, type ReconcileContext, type Reconciler } from '../k8s/reconciler.ts'
import { blockedBy } from './children.ts'
import { type Concept, declare } from './declare.ts'
import { type OperatorDependencies, operatorActor } from './dependencies.ts'
import { driftEvents } from './drift.ts'
import { belongsTo } from './reference.ts'
import { retire } from './retire.ts'

const concept: Concept<ProjectRow> = { name: 'project', store: projectStore, overQuota }

/** A Project is a row of `projects`; its overrides are kept as they were written. */
export class ProjectReconciler implements Reconciler<Project> {
  readonly resource = projectKind
  readonly #deps: OperatorDependencies

  constructor(deps: OperatorDependencies) {
    this.#deps = deps
  }

  references(project: Project): readonly string[] {
    return belongsTo(project)
  }

  async reconcile(project: Project, context: ReconcileContext) {
    const deps = this.#deps
    const declaration = { needs: [], values: () => projectValues(project) }
    const declared = await declare(deps, concept, project, declaration, context)
    if ('outcome' in declared) return declared
    return done<ProjectStatus>(`Project "${project.metadata.name}" is in force.`, {
      reason: 'Succeeded',
      status: { id: declared.row.id },
      events: driftEvents(deps, project, declared.action),
    })
  }

  async finalize(project: Project, context: ReconcileContext) {
    const blocked = blockedBy<ProjectStatus>(project, context)
    if (blocked) return blocked
    const purge = project.spec.deletionPolicy ?? defaultDeletionPolicy
    await retire(this.#deps, concept, project, {
      purge: purge === 'Delete' ? purgeProject : undefined,
      retained: { deletedAt: context.now() },
      before: ({ organizationId, id }) =>
        purge === 'Delete' ? withdrawing({ organizationId, projectId: id }, operatorActor) : [],
    })
    return done<ProjectStatus>('The project is deleted.')
  }
}

/** Why one more project would be too many; undefined when it is not. Makes the callers of one organization queue. */
async function overQuota(
  tx: Transaction,
  organization: OrganizationRow,
): Promise<string | undefined> {
  const quota = quotaOf(organization.settings, 'projects')
  if (quota === undefined) return undefined
  await serializeOrganization(tx, organization.id)
  if ((await countRecords(tx)).projects < quota) return undefined
  return `Organization "${organization.name}" may have ${quota} projects and has them: raise spec.quotas.projects there, or delete a project.`
}

/** The row's values that the spec rules. */
function projectValues(project: Project): Partial<ProjectRow> {
  const { displayName, description, overrides } = project.spec
  return { displayName, description: description ?? null, settings: overrides ?? {} }
}
