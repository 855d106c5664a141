import { isOpenInvitation } from './invitation.ts'
import { literal } from './statement.ts'

/** A project, or a role by its name, that goes for good. */
type Gone = { readonly organizationId: string } & (
  | { readonly projectId: string }
  | { readonly role: string }
)

/**
 * Takes back what people were given at run time on something that goes: bindings, and invitations that are pending. A role
 * of the same name that comes later must not be theirs without a word. Each has its audit event.
 * @param actor the operator, as the audit trail knows it
 */
export function withdrawing(gone: Gone, actor: string): readonly string[] {
  const { organizationId } = gone
  const of =
    'role' in gone ? `role = ${literal(gone.role)}` : `project_id = ${literal(gone.projectId)}`
  const because = 'role' in gone ? 'role' : 'project'
  const tell = (concept: string, verb: string, name: string) =>
    `insert into cardea.audit_events (organization_id, actor_kind, actor, action, target_kind, target_id, target_name, detail)
     select ${literal(organizationId)}, 'operator', ${literal(actor)}, '${concept}.${verb}', '${concept}', id, ${name},
       jsonb_build_object('role', role, 'deleted', '${because}') from gone`
  return [
    `with gone as (delete from cardea.role_bindings where ${of} and managed_by = 'api' returning id, name, role)
     ${tell('role_binding', 'deleted', 'name')}`,
    `with gone as (
       update cardea.invitations set revoked_at = now()
       where ${of} and ${isOpenInvitation} returning id, email, role)
     ${tell('invitation', 'revoked', 'email')}`,
  ]
}
