import type { QueryResult } from 'pg'

/**
 * What the index of credentials is loaded from: functions that span tenants and give out only what the decision needs.
 * Each loader is one operation and one query.
 */
export interface Queryable {
  query<Row extends object>(text: string, values: unknown[]): Promise<QueryResult<Row>>
}

export interface IndexedOrganization {
  readonly id: string
  readonly name: string
}

export interface IndexedProject {
  readonly organizationId: string
  readonly id: string
  readonly name: string
}

export interface IndexedRole {
  readonly organizationId: string
  readonly id: string
  readonly name: string
  readonly permissions: readonly string[]
}

export interface IndexedRoleBinding {
  readonly organizationId: string
  readonly id: string
  readonly projectId: string | null
  readonly role: string
  readonly subjects: readonly { readonly kind: string; readonly name: string }[]
}

/** One live secret of an API key. */
export interface IndexedApiKey {
  readonly organizationId: string
  readonly id: string
  readonly name: string
  readonly projectId: string | null
  /**
   * A JSON array: scopes, allowed CIDRs, allowed origins, rate limit's requests, window in milliseconds and burst. It stays
   * text, because most keys share theirs with others: whoever has read it once need not read it again.
   */
  readonly policy: string
  readonly secretId: string
  readonly digest: Buffer
  readonly imported: boolean
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly expiresAt: number | null
}

/** What to load: everything, these records, or everything of these organizations. */
export interface Selection {
  readonly ids?: readonly string[]
  readonly organizations?: readonly string[]
}

const apiKeyColumns = `organization_id as "organizationId", id, name, project_id as "projectId",
  json_build_array(scopes, allowed_cidrs, allowed_origins, rate_limit_requests, rate_limit_window, rate_limit_burst)::text as policy,
  secret_id as "secretId", digest, source = 'imported' as imported,
  (extract(epoch from created_at) * 1000)::float8 as "createdAt",
  (extract(epoch from expires_at) * 1000)::float8 as "expiresAt"`

export async function loadOrganizations(
  db: Queryable,
  selection: Pick<Selection, 'ids'> = {},
): Promise<IndexedOrganization[]> {
  const text = 'select id, name from cardea.index_organizations($1)'
  return (await db.query<IndexedOrganization>(text, [selection.ids ?? null])).rows
}

export async function loadProjects(
  db: Queryable,
  selection: Selection = {},
): Promise<IndexedProject[]> {
  const text = `select organization_id as "organizationId", id, name from cardea.index_projects($1, $2)`
  return (await db.query<IndexedProject>(text, parameters(selection))).rows
}

export async function loadRoles(db: Queryable, selection: Selection = {}): Promise<IndexedRole[]> {
  const text = `select organization_id as "organizationId", id, name, permissions from cardea.index_roles($1, $2)`
  return (await db.query<IndexedRole>(text, parameters(selection))).rows
}

export async function loadRoleBindings(
  db: Queryable,
  selection: Selection = {},
): Promise<IndexedRoleBinding[]> {
  const text = `select organization_id as "organizationId", id, project_id as "projectId", role, subjects
    from cardea.index_role_bindings($1, $2)`
  return (await db.query<IndexedRoleBinding>(text, parameters(selection))).rows
}

/** The live secrets of these keys; none of a key that is revoked or gone. */
export async function loadApiKeys(db: Queryable, ids: readonly string[]): Promise<IndexedApiKey[]> {
  const text = `select ${apiKeyColumns} from cardea.index_api_keys($1)`
  return (await db.query<IndexedApiKey>(text, [ids])).rows
}

/**
 * A page of all live secrets, in the order of their ids.
 * @param after the last secret's id of the page before
 */
export async function loadApiKeyPage(
  db: Queryable,
  after: string | null,
  size: number,
): Promise<IndexedApiKey[]> {
  const text = `select ${apiKeyColumns} from cardea.index_api_keys_page($1, $2)`
  return (await db.query<IndexedApiKey>(text, [after, size])).rows
}

/** The live secrets with these digests. */
export async function findApiKeys(
  db: Queryable,
  digests: readonly Buffer[],
): Promise<IndexedApiKey[]> {
  const text = `select ${apiKeyColumns} from cardea.find_api_keys_by_digest($1)`
  return (await db.query<IndexedApiKey>(text, [digests])).rows
}

function parameters({ ids, organizations }: Selection): unknown[] {
  return [ids ?? null, organizations ?? null]
}
