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

/** A person of the organization. */
export interface PersonRow {
  readonly id: string
  readonly email: string
  readonly name: string
  readonly groups: readonly string[]
  /** Neither suspended nor unverified. */
  readonly active: boolean
  readonly suspended: boolean
  readonly createdAt: Date
  readonly lastSignedInAt: Date | null
}

const person = `id, email, name, groups, suspended_at is null and email_verified_at is not null as active,
  suspended_at is not null as suspended, created_at as "createdAt", last_signed_in_at as "lastSignedInAt"`

export async function findPerson(tx: Transaction, id: string): Promise<PersonRow | undefined> {
  const { rows } = await tx.$client.query<PersonRow>(
    `select ${person} from cardea.users where id = $1`,
    [id],
  )
  return rows[0]
}

/** People in the order of their ids, from `after` on, which is left out; at most `most`. */
export async function listPeople(
  tx: Transaction,
  after: string | undefined,
  most: number,
): Promise<readonly PersonRow[]> {
  const { rows } = await tx.$client.query<PersonRow>(
    `select ${person} from cardea.users where $1::uuid is null or id > $1 order by id limit $2`,
    [after ?? null, most],
  )
  return rows
}

/** The people who have one of these addresses or belong to one of these groups. @param emails canonical */
export async function peopleNamed(
  tx: Transaction,
  emails: readonly string[],
  groups: readonly string[],
): Promise<readonly PersonRow[]> {
  const { rows } = await tx.$client.query<PersonRow>(
    `select ${person} from cardea.users where email = any ($1) or groups && $2`,
    [emails, groups],
  )
  return rows
}

export async function countPeople(tx: Transaction): Promise<number> {
  const { rows } = await tx.$client.query<{ count: number }>(
    'select count(*)::integer as count from cardea.users',
  )
  return rows[0]?.count ?? 0
}

export async function personByEmail(
  tx: Transaction,
  email: string,
): Promise<PersonRow | undefined> {
  const { rows } = await tx.$client.query<PersonRow>(
    `select ${person} from cardea.users where email = $1`,
    [email],
  )
  return rows[0]
}

export async function renamePerson(tx: Transaction, id: string, name: string): Promise<void> {
  await tx.$client.query('update cardea.users set name = $2 where id = $1', [id, name])
}

/** @returns whether that changed anything */
export async function suspendPerson(
  tx: Transaction,
  id: string,
  suspended: boolean,
): Promise<boolean> {
  const { rowCount } = await tx.$client.query(
    `update cardea.users set suspended_at = case when $2 then now() end
     where id = $1 and (suspended_at is not null) is distinct from $2`,
    [id, suspended],
  )
  return rowCount === 1
}

/** Deletes a person, with their passwords, devices and sessions. */
export async function deletePerson(tx: Transaction, id: string): Promise<void> {
  await tx.$client.query('delete from cardea.users where id = $1', [id])
}

/** Writes down somebody whose address has just been verified, with the hash of their password. */
export async function insertPerson(
  tx: Transaction,
  of: {
    readonly organizationId: string
    readonly id: string
    readonly email: string
    readonly name: string
    /** argon2id. */
    readonly hash: string
  },
): Promise<void> {
  await tx.$client.query(
    'insert into cardea.users (organization_id, id, email, name, email_verified_at) values ($1, $2, $3, $4, now())',
    [of.organizationId, of.id, of.email, of.name],
  )
  await tx.$client.query(
    'insert into cardea.passwords (organization_id, user_id, hash) values ($1, $2, $3)',
    [of.organizationId, of.id, of.hash],
  )
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
