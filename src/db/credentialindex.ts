import type { QueryResult } from 'pg'
import { type Position, serverIdentity } from './position.ts'

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

/** Credentials, with all of their organizations that a decision needs, as they were at one moment. */
export interface FoundApiKeys {
  readonly position: Position
  readonly organizations: readonly IndexedOrganization[]
  readonly projects: readonly IndexedProject[]
  readonly roles: readonly IndexedRole[]
  readonly roleBindings: readonly IndexedRoleBinding[]
  readonly apiKeys: readonly IndexedApiKey[]
}

const organizationColumns = 'id, name'
const projectColumns = 'organization_id as "organizationId", id, name'
const roleColumns = 'organization_id as "organizationId", id, name, permissions'
const roleBindingColumns =
  'organization_id as "organizationId", id, project_id as "projectId", role, subjects'
const apiKeyColumns = `organization_id as "organizationId", id, name, project_id as "projectId",
  json_build_array(scopes, allowed_cidrs, allowed_origins, rate_limit_requests, rate_limit_window, rate_limit_burst)::text as policy,
  secret_id as "secretId", digest, source = 'imported' as imported,
  (extract(epoch from created_at) * 1000)::float8 as "createdAt",
  (extract(epoch from expires_at) * 1000)::float8 as "expiresAt"`

/** @param ids the records to load; all when left out, here and below */
export async function loadOrganizations(
  db: Queryable,
  ids?: readonly string[],
): Promise<IndexedOrganization[]> {
  const text = `select ${organizationColumns} from cardea.index_organizations($1)`
  return (await db.query<IndexedOrganization>(text, [ids ?? null])).rows
}

export async function loadProjects(
  db: Queryable,
  ids?: readonly string[],
): Promise<IndexedProject[]> {
  const text = `select ${projectColumns} from cardea.index_projects($1, null)`
  return (await db.query<IndexedProject>(text, [ids ?? null])).rows
}

export async function loadRoles(db: Queryable, ids?: readonly string[]): Promise<IndexedRole[]> {
  const text = `select ${roleColumns} from cardea.index_roles($1, null)`
  return (await db.query<IndexedRole>(text, [ids ?? null])).rows
}

export async function loadRoleBindings(
  db: Queryable,
  ids?: readonly string[],
): Promise<IndexedRoleBinding[]> {
  const text = `select ${roleBindingColumns} from cardea.index_role_bindings($1, null)`
  return (await db.query<IndexedRoleBinding>(text, [ids ?? null])).rows
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

// One statement, so that all of it is of one server and of one snapshot. Where nothing is found, no other table is read.
const findByDigest = `with found as materialized (
    select ${apiKeyColumns} from cardea.find_api_keys_by_digest($1)
  ), tenants as materialized (
    select array(select distinct "organizationId" from found) as ids
  )
  select ${serverIdentity} as server, pg_current_snapshot()::text as snapshot,
    ${collected('select * from found')} as "apiKeys",
    ${collected(`select ${organizationColumns} from cardea.index_organizations(ids)`)} as organizations,
    ${collected(`select ${projectColumns} from cardea.index_projects(null, ids)`)} as projects,
    ${collected(`select ${roleColumns} from cardea.index_roles(null, ids)`)} as roles,
    ${collected(`select ${roleBindingColumns} from cardea.index_role_bindings(null, ids)`)} as "roleBindings"
  from tenants`

/** The live secrets with these digests. */
export async function findApiKeys(
  db: Queryable,
  digests: readonly Buffer[],
): Promise<FoundApiKeys> {
  const { rows } = await db.query<FoundRow>(findByDigest, [digests])
  const [row] = rows
  if (row === undefined) throw new Error('the look-up has no answer')
  const { server, snapshot, apiKeys, ...rest } = row
  return {
    ...rest,
    position: { server, snapshot },
    apiKeys: apiKeys.map((apiKey) => Object.assign(apiKey, { digest: bytes(apiKey.digest) })),
  }
}

type FoundRow = Position &
  Omit<FoundApiKeys, 'position' | 'apiKeys'> & {
    readonly apiKeys: readonly (Omit<IndexedApiKey, 'digest'> & { readonly digest: string })[]
  }

/** SQL for a JSON array of the rows. */
function collected(rows: string): string {
  return `(select coalesce(json_agg(r), '[]') from (${rows} where cardinality(ids) > 0) r)`
}

/** A bytea as JSON has it: `\x` and hexadecimal digits. */
function bytes(text: string): Buffer {
  return Buffer.from(text.slice(2), 'hex')
}
