import type { OrganizationRow } from '../db/organization.ts'
import { type ProjectRow, projectStore } from '../db/project.ts'
import { nothing, type Reading } from '../db/statement.ts'
import { claimOf, type Owner } from '../domain/ownership.ts'
import { type CustomResource, referenceKey } from '../k8s/object.ts'
import { type ReconcileContext, type Waiting, waiting } from '../k8s/reconciler.ts'
import type { OperatorDependencies } from './dependencies.ts'
import { unwatched } from './unwatched.ts'

/** A resource that belongs to an organization. */
export interface Belonging extends CustomResource {
  readonly spec: CustomResource['spec'] & {
    readonly organizationRef: { readonly name: string }
    readonly projectRef?: { readonly name: string } | undefined
  }
}

/** What a belonging resource refers to, for wake-ups. */
export function belongsTo(object: Belonging): string[] {
  const { namespace } = object.metadata
  const { organizationRef, projectRef } = object.spec
  return [
    referenceKey('Organization', namespace, organizationRef.name),
    ...(projectRef ? [referenceKey('Project', namespace, projectRef.name)] : []),
  ]
}

/** The Organization that a resource belongs to, as the owner of a row. */
export function parentOf(
  { installation }: Pick<OperatorDependencies, 'installation'>,
  { metadata: { namespace }, spec: { organizationRef } }: Belonging,
): Owner {
  return { installation, namespace, name: organizationRef.name }
}

/**
 * The live organization that a resource belongs to, or why the resource waits.
 * @param row what the database has for `parentOf`: a status is no proof
 */
export function liveOrganization(
  row: OrganizationRow | undefined,
  object: Belonging,
  context: ReconcileContext,
): OrganizationRow | Waiting {
  if (row && !row.deletedAt) return row
  const { namespace } = object.metadata
  const { name } = object.spec.organizationRef
  return context.get(referenceKey('Organization', namespace, name))
    ? waiting(
        'OrganizationNotReady',
        `Organization "${name}" is not in the database yet; if its own conditions do not say why, this is looked at again shortly.`,
        unwatched(context),
      )
    : waiting(
        'OrganizationNotFound',
        `There is no Organization "${name}" in namespace "${namespace}": create it, or correct spec.organizationRef.name.`,
      )
}

/** The record that the name of a project stands for; nothing when the resource names none. */
export function projectReading(
  deps: OperatorDependencies,
  object: Belonging,
): Reading<ProjectRow | undefined> {
  const { projectRef } = object.spec
  return projectRef
    ? projectStore.of({ ...parentOf(deps, object), name: projectRef.name })
    : nothing
}

/** The live project that a resource belongs to, or why it waits; undefined when it names none. */
export function liveProject(
  deps: OperatorDependencies,
  row: ProjectRow | undefined,
  object: Belonging,
  context: ReconcileContext,
): ProjectRow | Waiting | undefined {
  const { projectRef } = object.spec
  if (!projectRef) return undefined
  const { namespace } = object.metadata
  const owner = { ...parentOf(deps, object), name: projectRef.name }
  if (row && !row.deletedAt && claimOf(row, owner) === 'ours') return row
  return context.get(referenceKey('Project', namespace, projectRef.name))
    ? waiting(
        'ProjectNotReady',
        `Project "${projectRef.name}" is not in the database yet; if its own conditions do not say why, this is looked at again shortly.`,
        // A row that was lost and made anew changes nothing about a Ready that was True all along.
        unwatched(context),
      )
    : waiting(
        'ProjectNotFound',
        `Organization "${object.spec.organizationRef.name}" has no Project "${projectRef.name}" in namespace "${namespace}": create it, or correct spec.projectRef.name.`,
      )
}

export function isWaiting(value: object | undefined): value is Waiting {
  return value !== undefined && 'outcome' in value
}
