import { type RBACRole, type RBACRoleStatus, rbacRoleKind } from '../api/v1alpha1/rbacrole.ts'
import { type RoleRow, roleStore } from '../db/role.ts'
import { withdrawing } from '../db/withdrawal.ts'
import { done, type ReconcileContext, type Reconciler } from '../k8s/reconciler.ts'
import { blockedBy } from './children.ts'
import { type Concept, declare } from './declare.ts'
import { type OperatorDependencies, operatorActor } from './dependencies.ts'
import { driftEvents } from './drift.ts'
import { belongsTo } from './reference.ts'
import { retire } from './retire.ts'

const concept: Concept<RoleRow> = { name: 'role', store: roleStore }

/** An RBACRole is a row of `roles`. */
export class RBACRoleReconciler implements Reconciler<RBACRole> {
  readonly resource = rbacRoleKind
  readonly #deps: OperatorDependencies

  constructor(deps: OperatorDependencies) {
    this.#deps = deps
  }

  references(role: RBACRole): readonly string[] {
    return belongsTo(role)
  }

  async reconcile(role: RBACRole, context: ReconcileContext) {
    const { description = null, permissions } = role.spec
    const declaration = { needs: [], values: () => ({ description, permissions }) }
    const declared = await declare(this.#deps, concept, role, declaration, context)
    if ('outcome' in declared) return declared
    return done<RBACRoleStatus>(`Role "${role.metadata.name}" is in force.`, {
      reason: 'Succeeded',
      status: { id: declared.row.id },
      events: driftEvents(this.#deps, role, declared.action),
    })
  }

  async finalize(role: RBACRole, context: ReconcileContext) {
    const blocked = blockedBy<RBACRoleStatus>(role, context)
    if (blocked) return blocked
    await retire(this.#deps, concept, role, {
      purge: (id) => [roleStore.deletion(id)],
      before: ({ organizationId, name }) =>
        withdrawing({ organizationId, role: name }, operatorActor),
    })
    return done<RBACRoleStatus>('The role is deleted.')
  }
}
