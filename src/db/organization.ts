import { and, eq, isNull, sql } from 'drizzle-orm'
import type pg from 'pg'
import type { Owned, Owner } from '../domain/ownership.ts'
import { deletion, insertion, literal, type Reading, readingsOf, update } from './statement.ts'
import { apiKeys } from './tables/apikey.ts'
import { organizations } from './tables/organization.ts'
import { projects } from './tables/project.ts'
import type { Transaction } from './transaction.ts'

export type OrganizationRow = typeof organizations.$inferSelect

/** The id of the organization that a resource declares, and whether it is live. */
export async function findOrganization(
  pool: pg.Pool,
  owner: Owner,
): Promise<{ id: string; live: boolean } | undefined> {
  const { rows } = await pool.query<{ id: string; deleted_at: Date | null }>(
    'select id, deleted_at from cardea.find_organization($1, $2, $3)',
    [owner.installation, owner.namespace, owner.name],
  )
  const [row] = rows
  return row && { id: row.id, live: row.deleted_at === null }
}

/** Who has an organization's name, which is unique in the database. */
export async function organizationByName(
  pool: pg.Pool,
  name: string,
): Promise<(Owned & { id: string }) | undefined> {
  const { rows } = await pool.query<Owned & { id: string }>(
    `select id, managed_by as "managedBy", owner_installation as "ownerInstallation", owner_namespace as "ownerNamespace",
       owner_name as "ownerName", deleted_at as "deletedAt"
     from cardea.organization_by_name($1)`,
    [name],
  )
  return rows[0]
}

/** The organization that the transaction is for. */
export const theOrganization: Reading<OrganizationRow | undefined> = readingsOf(organizations)(
  '',
  ([row]) => row,
)

export function insertOrganization(values: typeof organizations.$inferInsert): string {
  return insertion(organizations, [values])
}

export function updateOrganization(id: string, values: Partial<OrganizationRow>): string {
  return update(organizations, id, values)
}

/** Deletes the organization and everything that hangs on it, the audit trail aside. The tenant is the transaction's. */
export function purgeOrganization(id: string): readonly string[] {
  return [...children.map((table) => `delete from cardea.${table}`), deletion(organizations, [id])]
}

/** What is deleted by hand, in this order; the rest goes along. */
const children = [
  'role_bindings',
  'api_keys',
  'provider_credentials',
  'roles',
  'invitations',
  'projects',
  'users',
  'registrations',
  'one_time_tokens',
  'revoked_access_tokens',
  'sign_in_failures',
  'mails',
]

/** Makes the transactions that ask this of one organization come one after the other, until each one's commit. */
export async function serializeOrganization(tx: Transaction, id: string): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${id}, 0))`)
}

/** How many live projects and API keys the organization has; keys of one project when it is given. */
export async function countRecords(
  tx: Transaction,
  projectId?: string,
): Promise<{ projects: number; apiKeys: number; projectApiKeys: number }> {
  const live = isNull(apiKeys.deletedAt)
  return {
    projects: await tx.$count(projects, isNull(projects.deletedAt)),
    apiKeys: await tx.$count(apiKeys, live),
    projectApiKeys:
      projectId === undefined
        ? 0
        : await tx.$count(apiKeys, and(live, eq(apiKeys.projectId, projectId))),
  }
}

/** Deletes a project for good, with the keys, bindings, invitations and provider credentials of it that are retained or were made through the API. */
export function purgeProject(id: string): readonly string[] {
  const ofProject = `where project_id = ${literal(id)}`
  return [
    `delete from cardea.role_bindings ${ofProject}`,
    `delete from cardea.invitations ${ofProject}`,
    `delete from cardea.api_keys ${ofProject}`,
    `delete from cardea.provider_credentials ${ofProject}`,
    deletion(projects, [id]),
  ]
}

/** The organization that a transaction is for, as far as its people go. */
export interface PeoplesOrganization {
  readonly id: string
  readonly name: string
  readonly displayName: string
  /** Of email addresses; none: any. */
  readonly domains: readonly string[]
  /** Addresses that it names as its owners. */
  readonly owners: readonly string[]
  readonly settings: Readonly<Record<string, unknown>>
  /** No session that began before it counts. */
  readonly sessionsRevokedBefore: Date | null
}

/** The organization that the transaction is for, as far as its people go; undefined when it is not live. */
export const theirOrganization: Reading<PeoplesOrganization | undefined> = {
  text: `select id, name, display_name as "displayName", domains, owners, settings,
      sessions_revoked_before as "sessionsRevokedBefore" from cardea.organizations where deleted_at is null`,
  decode: ([row]) => row as PeoplesOrganization | undefined,
}
