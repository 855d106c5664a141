import type { CustomRole, PersonalBinding } from '../domain/member.ts'
import { literal, type Reading } from './statement.ts'
import type { Transaction } from './transaction.ts'

const personal = `b.id, b.role, b.project_id as "projectId", b.subjects,
  case b.managed_by when 'resource' then format('RBACBinding %s/%s', b.owner_namespace, b.owner_name) end as "declaredBy"`

/** The bindings that name a person or a group of theirs. @param email canonical; resources may write it otherwise */
export function bindingsOf(
  email: string,
  groups: readonly string[],
): Reading<readonly PersonalBinding[]> {
  const isOne = [
    `(s ->> 'kind' = 'User' and lower(trim(s ->> 'name')) = ${literal(email)})`,
    ...groups.map((group) => `(s ->> 'kind' = 'Group' and s ->> 'name' = ${literal(group)})`),
  ]
  return {
    text: `select ${personal} from cardea.role_bindings b
      where exists (select from jsonb_array_elements(b.subjects) s where ${isOne.join(' or ')})`,
    decode: (rows) => rows as unknown as readonly PersonalBinding[],
  }
}

/** The bindings that name people or groups at all. */
export async function personalBindings(tx: Transaction): Promise<readonly PersonalBinding[]> {
  const { rows } = await tx.$client.query<PersonalBinding>(
    `select ${personal} from cardea.role_bindings b
     where exists (select from jsonb_array_elements(b.subjects) s where s ->> 'kind' in ('User', 'Group'))`,
  )
  return rows
}

/** The organization's own roles. */
export const customRoles: Reading<readonly CustomRole[]> = {
  text: 'select name, permissions from cardea.roles',
  decode: (rows) => rows as unknown as readonly CustomRole[],
}

/** Gives one person a role, at run time. */
export async function insertMemberBinding(
  tx: Transaction,
  binding: {
    readonly organizationId: string
    readonly name: string
    readonly projectId: string | undefined
    readonly role: string
    readonly email: string
  },
): Promise<void> {
  const { organizationId, name, projectId, role, email } = binding
  const subjects = JSON.stringify([{ kind: 'User', name: email }])
  await tx.$client.query(
    `insert into cardea.role_bindings (organization_id, name, project_id, role, subjects, managed_by) values ($1, $2, $3, $4, $5, 'api')`,
    [organizationId, name, projectId ?? null, role, subjects],
  )
}

/** Takes a person out of a binding that was made at run time; one that is left without anybody goes. */
export async function leaveBinding(
  tx: Transaction,
  bindingId: string,
  email: string,
): Promise<void> {
  await tx.$client.query(
    `update cardea.role_bindings b set subjects = coalesce((
       select jsonb_agg(s) from jsonb_array_elements(b.subjects) s
       where not (s ->> 'kind' = 'User' and lower(trim(s ->> 'name')) = $2)), '[]')
     where id = $1 and managed_by = 'api'`,
    [bindingId, email],
  )
  await tx.$client.query(
    `delete from cardea.role_bindings where id = $1 and managed_by = 'api' and subjects = '[]'`,
    [bindingId],
  )
}

export interface ProjectName {
  readonly id: string
  readonly name: string
}

/** The live projects. */
export async function projectNames(tx: Transaction): Promise<readonly ProjectName[]> {
  const { rows } = await tx.$client.query<ProjectName>(
    'select id, name from cardea.projects where deleted_at is null',
  )
  return rows
}
