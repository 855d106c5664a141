import {
  type RBACBinding,
  type RBACBindingStatus,
  rbacBindingKind,
} from '../api/v1alpha1/rbacbinding.ts'
import { type ApiKeyRow, apiKeyStore } from '../db/apikey.ts'
import type { ProjectRow } from '../db/project.ts'
import { type RoleRow, roleStore } from '../db/role.ts'
import { type RoleBindingRow, roleBindingStore } from '../db/rolebinding.ts'
import { claimOf, type Owner } from '../domain/ownership.ts'
import { isBuiltInRole } from '../domain/role.ts'
import { referenceKey } from '../k8s/object.ts'
import {
  done,
  type ReconcileContext,
  type Reconciler,
  type Waiting,
  waiting,
} from '../k8s/reconciler.ts'
import { type Concept, declare } from './declare.ts'
import { type OperatorDependencies, ownerOf } from './dependencies.ts'
import { driftEvents } from './drift.ts'
import { belongsTo, isWaiting, liveProject, projectReading } from './reference.ts'
import { retire } from './retire.ts'

const concept: Concept<RoleBindingRow> = { name: 'role_binding', store: roleBindingStore }

/** An RBACBinding is a row of `role_bindings`, once its role, its project and its API keys exist. */
export class RBACBindingReconciler implements Reconciler<RBACBinding> {
  readonly resource = rbacBindingKind
  readonly #deps: OperatorDependencies

  constructor(deps: OperatorDependencies) {
    this.#deps = deps
  }

  references(binding: RBACBinding): readonly string[] {
    const { namespace } = binding.metadata
    const { role, subjects } = binding.spec
    const apiKeys = subjects.filter((subject) => subject.kind === 'APIKey')
    return [
      ...belongsTo(binding),
      ...(isBuiltInRole(role) ? [] : [referenceKey('RBACRole', namespace, role)]),
      ...apiKeys.map((subject) => referenceKey('APIKey', namespace, subject.name)),
    ]
  }

  async reconcile(binding: RBACBinding, context: ReconcileContext) {
    const deps = this.#deps
    const { role, subjects } = binding.spec
    const keys = this.#keysOf(binding)
    const needs = [
      projectReading(deps, binding),
      roleStore.of({ ...ownerOf(deps, binding), name: role }),
      ...keys.map((owner) => apiKeyStore.of(owner)),
    ] as const
    const values = (
      projectRow: ProjectRow | undefined,
      roleRow: RoleRow | undefined,
      ...keyRows: (ApiKeyRow | undefined)[]
    ) => {
      const project = liveProject(deps, projectRow, binding, context)
      if (isWaiting(project)) return project
      if (!isBuiltInRole(role) && !roleRow) return roleNotFound(binding)
      const missing = keys.find((owner, at) => !isInForce(keyRows[at], owner))
      if (missing) return subjectNotFound(binding, missing.name)
      return { projectId: project?.id ?? null, role, subjects }
    }
    const declared = await declare(deps, concept, binding, { needs, values }, context)
    if ('outcome' in declared) return declared
    return done<RBACBindingStatus>(`Role "${role}" is given to ${subjects.length} subject(s).`, {
      reason: 'Succeeded',
      status: { id: declared.row.id },
      events: driftEvents(deps, binding, declared.action),
    })
  }

  async finalize(binding: RBACBinding) {
    await retire(this.#deps, concept, binding, { purge: (id) => [roleBindingStore.deletion(id)] })
    return done<RBACBindingStatus>('The binding is deleted.')
  }

  #keysOf(binding: RBACBinding): readonly Owner[] {
    const keys = binding.spec.subjects.filter((subject) => subject.kind === 'APIKey')
    const { metadata } = binding
    return keys.map(({ name }) => ownerOf(this.#deps, { metadata: { ...metadata, name } }))
  }
}

function isInForce(row: ApiKeyRow | undefined, owner: Owner): boolean {
  return row !== undefined && !row.deletedAt && claimOf(row, owner) !== 'foreign'
}

function roleNotFound({ spec: { role, organizationRef } }: RBACBinding): Waiting {
  return waiting(
    'RoleNotFound',
    `"${role}" is neither a built-in role (owner, admin, developer, viewer, auditor) nor an RBACRole of Organization "${organizationRef.name}": create the RBACRole, or correct spec.role.`,
  )
}

function subjectNotFound({ spec: { organizationRef } }: RBACBinding, name: string): Waiting {
  return waiting(
    'SubjectNotFound',
    `Organization "${organizationRef.name}" has no APIKey "${name}": create it, or take it out of spec.subjects.`,
  )
}
