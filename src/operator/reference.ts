import { findOrganization } from '../db/organization.ts'
import { type ProjectRow, projectStore } from '../db/project.ts'
import type { Transaction } from '../db/transaction.ts'
import { claimOf } from '../domain/ownership.ts'
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

/**
 * The live organization that a resource belongs to. The database answers, by owner: a status is no proof.
 * @returns its id, or why the resource waits
 */
export async function resolveOrganization(
  deps: OperatorDependencies,
  object: Belonging,
  context: ReconcileContext,
): Promise<{ readonly id: string } | Waiting> {
  const { namespace } = object.metadata
  const { name } = object.spec.organizationRef
  const found = await findOrganization(deps.pool, {
    installation: deps.installation,
    namespace,
    name,
  })
  if (found?.live) return { id: found.id }
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

/** The live project that a resource belongs to; undefined when it names none. */
export async function resolveProject(
  deps: OperatorDependencies,
  object: Belonging,
  context: ReconcileContext,
  tx: Transaction,
): Promise<ProjectRow | Waiting | undefined> {
  const { projectRef } = object.spec
  if (!projectRef) return undefined
  const { namespace } = object.metadata
  const owner = { installation: deps.installation, namespace, name: projectRef.name }
  const row = await projectStore.find(tx, owner)
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
