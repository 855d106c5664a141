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
  readonly displayName: string
  readonly domains: readonly string[]
  /** The addresses of those that the organization itself names as its owners. */
  readonly owners: readonly string[]
  /** From where browsers may ask with its sessions. */
  readonly origins: readonly string[]
  /** A date and a time, as the settings have them. */
  readonly sessionsRevokedBefore: number | null
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

/** A person. */
export interface IndexedUser {
  readonly organizationId: string
  readonly id: string
  readonly email: string
  readonly groups: readonly string[]
  /** Neither suspended nor without a verified address. */
  readonly active: boolean
  /** Milliseconds since the epoch: what began before is over. */
  readonly revokedBefore: number | null
}

/** A session that is not over, with whoever it is of; times in milliseconds since the epoch. */
export interface IndexedSession extends IndexedUser {
  readonly userId: string
  readonly kind: 'browser' | 'token'
  readonly digest: Buffer
  readonly authenticatedAt: number
  readonly lastSeenAt: number
  /** Seconds. */
  readonly idleTimeout: number
  readonly expiresAt: number
}

/** An access token that was revoked before its end. */
export interface IndexedAccessToken {
  readonly organizationId: string
  /** Its `jti`. */
  readonly id: string
}

/** Credentials, with all of their organizations that a decision needs, as they were at one moment. */
export interface FoundCredentials {
  readonly position: Position
  readonly organizations: readonly IndexedOrganization[]
  readonly projects: readonly IndexedProject[]
  readonly roles: readonly IndexedRole[]
  readonly roleBindings: readonly IndexedRoleBinding[]
  readonly apiKeys: readonly IndexedApiKey[]
  readonly sessions: readonly IndexedSession[]
  readonly accessTokens: readonly IndexedAccessToken[]
}

const organizationColumns = `id, name, display_name as "displayName", domains, owners, origins,
  (extract(epoch from sessions_revoked_before) * 1000)::float8 as "sessionsRevokedBefore"`
const projectColumns = 'organization_id as "organizationId", id, name'
const roleColumns = 'organization_id as "organizationId", id, name, permissions'
const roleBindingColumns =
  'organization_id as "organizationId", id, project_id as "projectId", role, subjects'
const apiKeyColumns = `organization_id as "organizationId", id, name, project_id as "projectId",
  json_build_array(scopes, allowed_cidrs, allowed_origins, rate_limit_requests, rate_limit_window, rate_limit_burst)::text as policy,
  secret_id as "secretId", digest, source = 'imported' as imported,
  (extract(epoch from created_at) * 1000)::float8 as "createdAt",
  (extract(epoch from expires_at) * 1000)::float8 as "expiresAt"`

const personColumns = `email, groups, active,
  (extract(epoch from sessions_revoked_before) * 1000)::float8 as "revokedBefore"`
const userColumns = `organization_id as "organizationId", id, ${personColumns}`
const sessionColumns = `organization_id as "organizationId", id, user_id as "userId", kind, digest, ${personColumns},
  (extract(epoch from authenticated_at) * 1000)::float8 as "authenticatedAt",
  (extract(epoch from last_seen_at) * 1000)::float8 as "lastSeenAt", idle_timeout as "idleTimeout",
  (extract(epoch from expires_at) * 1000)::float8 as "expiresAt"`
const accessTokenColumns = 'organization_id as "organizationId", jti as id'

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

/** These people; none of those who are gone. */
export async function loadUsers(db: Queryable, ids: readonly string[]): Promise<IndexedUser[]> {
  const text = `select ${userColumns} from cardea.index_users($1)`
  return (await db.query<IndexedUser>(text, [ids])).rows
}

/** Those of these sessions that are not over. */
export async function loadSessions(
  db: Queryable,
  ids: readonly string[],
): Promise<IndexedSession[]> {
  const text = `select ${sessionColumns} from cardea.index_sessions($1)`
  return (await db.query<IndexedSession>(text, [ids])).rows
}

/**
 * A page of all sessions that are not over, in the order of their ids.
 * @param after the last one's id of the page before
 */
export async function loadSessionPage(
  db: Queryable,
  after: string | null,
  size: number,
): Promise<IndexedSession[]> {
  const text = `select ${sessionColumns} from cardea.index_sessions_page($1, $2)`
  return (await db.query<IndexedSession>(text, [after, size])).rows
}

/** The access tokens that were revoked, until long after their end. @param ids their `jti`s; all when left out */
export async function loadRevokedAccessTokens(
  db: Queryable,
  ids?: readonly string[],
): Promise<IndexedAccessToken[]> {
  const text = `select ${accessTokenColumns} from cardea.index_revoked_access_tokens($1)`
  return (await db.query<IndexedAccessToken>(text, [ids ?? null])).rows
}

/** Rows of the large tables as PostgreSQL estimates them, and a quarter more; at most what is worth making room for. */
export interface IndexSize {
  readonly secrets: number
  readonly sessions: number
}

const mostReserved = 8_388_608

/** @returns zeros for tables that PostgreSQL has not looked over yet */
export async function loadIndexSize(db: Queryable): Promise<IndexSize> {
  const rows = (table: string) => `least(greatest(
    (select reltuples from pg_catalog.pg_class where oid = 'cardea.${table}'::regclass), 0) * 1.25, ${mostReserved})::int`
  const text = `select ${rows('api_key_secrets')} as secrets, ${rows('sessions')} as sessions`
  const [size] = (await db.query<IndexSize>(text, [])).rows
  return size ?? { secrets: 0, sessions: 0 }
}

// One statement, so that all of it is of one server and of one snapshot. Where nothing is found, no other table is read.
const findByDigest = `with found as materialized (
    select ${apiKeyColumns} from cardea.find_api_keys_by_digest($1)
  ), live as materialized (
    select ${sessionColumns} from cardea.find_sessions_by_digest($1)
  ), tenants as materialized (
    select array(select "organizationId" from found union select "organizationId" from live) as ids
  )
  select ${serverIdentity} as server, pg_current_snapshot()::text as snapshot,
    ${collected('select * from found')} as "apiKeys",
    ${collected('select * from live')} as sessions,
    ${collected(`select ${accessTokenColumns} from cardea.index_revoked_access_tokens($2)`)} as "accessTokens",
    ${collected(`select ${organizationColumns} from cardea.index_organizations(ids)`)} as organizations,
    ${collected(`select ${projectColumns} from cardea.index_projects(null, ids)`)} as projects,
    ${collected(`select ${roleColumns} from cardea.index_roles(null, ids)`)} as roles,
    ${collected(`select ${roleBindingColumns} from cardea.index_role_bindings(null, ids)`)} as "roleBindings"
  from tenants`

/**
 * The live secrets and sessions with these digests.
 * @param jtis access tokens, of which the revoked ones are found
 */
export async function findCredentials(
  db: Queryable,
  digests: readonly Buffer[],
  jtis: readonly string[],
): Promise<FoundCredentials> {
  const { rows } = await db.query<FoundRow>(findByDigest, [digests, jtis])
  const [row] = rows
  if (row === undefined) throw new Error('the look-up has no answer')
  const { server, snapshot, apiKeys, sessions, ...rest } = row
  return {
    ...rest,
    position: { server, snapshot },
    apiKeys: apiKeys.map(withDigest),
    sessions: sessions.map(withDigest),
  }
}

type FoundRow = Position &
  Omit<FoundCredentials, 'position' | 'apiKeys' | 'sessions'> & {
    readonly apiKeys: readonly AsJson<IndexedApiKey>[]
    readonly sessions: readonly AsJson<IndexedSession>[]
  }
type AsJson<Row> = Omit<Row, 'digest'> & { readonly digest: string }

/** SQL for a JSON array of the rows. */
function collected(rows: string): string {
  return `(select coalesce(json_agg(r), '[]') from (${rows} where cardinality(ids) > 0) r)`
}

/** A bytea as JSON has it: `\x` and hexadecimal digits. */
function withDigest<Row extends { readonly digest: string }>(
  row: Row,
): Omit<Row, 'digest'> & { digest: Buffer } {
  return Object.assign(row, { digest: Buffer.from(row.digest.slice(2), 'hex') })
}
