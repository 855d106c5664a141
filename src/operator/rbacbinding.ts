import {
  type RBACBinding,
  type RBACBindingStatus,
  rbacBindingKind,
} from '../api/v1alpha1/rbacbinding.ts'
import { apiKeyStore } from '../db/apikey.ts'
import { roleStore } from '../db/role.ts'
import { type RoleBindingRow, roleBindingStore } from '../db/rolebinding.ts'
import { inOrganization, type Transaction } from '../db/transaction.ts'
import { claimOf } from '../domain/ownership.ts'
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
import { type OperatorDependencies, operatorActor, ownerOf } from './dependencies.ts'
import { driftEvents } from './drift.ts'
import { belongsTo, isWaiting, resolveOrganization, resolveProject } from './reference.ts'
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
    const organization = await resolveOrganization(deps, binding, context)
    if (isWaiting(organization)) return organization
    const tenant = { organizationId: organization.id, actor: operatorActor }
    const project = await inOrganization(deps.pool, tenant, async (tx) => {
      const found = await resolveProject(deps, binding, context, tx)
      if (isWaiting(found)) return found
      return (
        (await this.#missingRole(binding, tx)) ??
        (await this.#missingSubject(binding, tx)) ?? { id: found?.id }
      )
    })
    if (isWaiting(project)) return project
    const { role, subjects } = binding.spec
    const values = { projectId: project.id ?? null, role, subjects }
    const wanted = { organizationId: organization.id, values }
    const declared = await declare(deps, concept, binding, wanted, context)
    if ('outcome' in declared) return declared
    return done<RBACBindingStatus>(`Role "${role}" is given to ${subjects.length} subject(s).`, {
      reason: 'Succeeded',
      status: { id: declared.row.id },
      events: driftEvents(deps, binding, declared.action),
    })
  }

  async finalize(binding: RBACBinding) {
    await retire(this.#deps, concept, binding, { purge: roleBindingStore.remove })
    return done<RBACBindingStatus>('The binding is deleted.')
  }

  async #missingRole(binding: RBACBinding, tx: Transaction): Promise<Waiting | undefined> {
    const { role } = binding.spec
    if (isBuiltInRole(role)) return undefined
    const row = await roleStore.find(tx, { ...ownerOf(this.#deps, binding), name: role })
    if (row) return undefined
    return waiting(
      'RoleNotFound',
      `"${role}" is neither a built-in role (owner, admin, developer, viewer, auditor) nor an RBACRole of Organization "${binding.spec.organizationRef.name}": create the RBACRole, or correct spec.role.`,
    )
  }

  async #missingSubject(binding: RBACBinding, tx: Transaction): Promise<Waiting | undefined> {
    for (const subject of binding.spec.subjects) {
      if (subject.kind !== 'APIKey') continue
      const owner = { ...ownerOf(this.#deps, binding), name: subject.name }
      const row = await apiKeyStore.find(tx, owner)
      if (row && !row.deletedAt && claimOf(row, owner) !== 'foreign') continue
      return waiting(
        'SubjectNotFound',
        `Organization "${binding.spec.organizationRef.name}" has no APIKey "${subject.name}": create it, or take it out of spec.subjects.`,
      )
    }
    return undefined
  }
}
