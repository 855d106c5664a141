import { and, eq, isNull, sql } from 'drizzle-orm'
import type pg from 'pg'
import type { Owned, Owner } from '../domain/ownership.ts'
import { apiKeys } from './tables/apikey.ts'
import { organizations } from './tables/organization.ts'
import { projects } from './tables/project.ts'
import { roles } from './tables/role.ts'
import { roleBindings } from './tables/rolebinding.ts'
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
export async function loadOrganization(tx: Transaction): Promise<OrganizationRow | undefined> {
  const [row] = await tx.select().from(organizations)
  return row
}

export async function insertOrganization(
  tx: Transaction,
  values: typeof organizations.$inferInsert,
): Promise<OrganizationRow> {
  const [row] = await tx.insert(organizations).values(values).returning()
  return row as OrganizationRow
}

export async function updateOrganization(
  tx: Transaction,
  id: string,
  values: Partial<OrganizationRow>,
): Promise<OrganizationRow> {
  const [row] = await tx
    .update(organizations)
    .set(values)
    .where(eq(organizations.id, id))
    .returning()
  return row as OrganizationRow
}

/** Deletes the organization and everything that hangs on it, the audit trail aside. */
export async function purgeOrganization(tx: Transaction, id: string): Promise<void> {
  await tx.delete(roleBindings)
  await tx.delete(apiKeys)
  await tx.delete(roles)
  await tx.delete(projects)
  await tx.delete(organizations).where(eq(organizations.id, id))
}

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

/** Deletes a project for good, with the keys and bindings of it that are retained or were made through the API. */
export async function purgeProject(tx: Transaction, id: string): Promise<void> {
  await tx.delete(roleBindings).where(eq(roleBindings.projectId, id))
  await tx.delete(apiKeys).where(eq(apiKeys.projectId, id))
  await tx.delete(projects).where(eq(projects.id, id))
}
