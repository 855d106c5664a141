import type { CustomRole, PersonalBinding } from '../domain/member.ts'
import type { Transaction } from './transaction.ts'

/** Resources write addresses as they like; here they have one spelling. */
const namesPerson = `((s ->> 'kind' = 'User' and lower(trim(s ->> 'name')) = $1) or (s ->> 'kind' = 'Group' and s ->> 'name' = any ($2)))`

const personal = `b.id, b.role, b.project_id as "projectId", b.subjects,
  case b.managed_by when 'resource' then format('RBACBinding %s/%s', b.owner_namespace, b.owner_name) end as "declaredBy"`

/** The bindings that name a person or a group of theirs. @param email canonical */
export async function bindingsOf(
  tx: Transaction,
  email: string,
  groups: readonly string[],
): Promise<readonly PersonalBinding[]> {
  const { rows } = await tx.$client.query<PersonalBinding>(
    `select ${personal} from cardea.role_bindings b
     where exists (select from jsonb_array_elements(b.subjects) s where ${namesPerson})`,
    [email, groups],
  )
  return rows
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
export async function customRoles(tx: Transaction): Promise<readonly CustomRole[]> {
  const { rows } = await tx.$client.query<CustomRole>('select name, permissions from cardea.roles')
  return rows
}

/** The organization that the transaction is for, as far as its people go; undefined when it is not live. */
export async function peoplesOrganization(
  tx: Transaction,
): Promise<PeoplesOrganization | undefined> {
  const { rows } = await tx.$client.query<PeoplesOrganization>(
    `select id, name, display_name as "displayName", domains, owners, settings from cardea.organizations where deleted_at is null`,
  )
  return rows[0]
}

export interface PeoplesOrganization {
  readonly id: string
  readonly name: string
  readonly displayName: string
  /** Of email addresses; none: any. */
  readonly domains: readonly string[]
  /** Addresses that it names as its owners. */
  readonly owners: readonly string[]
  readonly settings: Readonly<Record<string, unknown>>
}
