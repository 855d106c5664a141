import type { Owner } from '../domain/ownership.ts'
import type { DataKeyRow } from './datakey.ts'
import { isOf, recordStore } from './record.ts'
import {
  deletion,
  insertion,
  integer,
  literal,
  nothing,
  type Reading,
  readingsOf,
} from './statement.ts'
import { dataKeys } from './tables/datakey.ts'
import { providerCredentials, providerCredentialVersions } from './tables/providercredential.ts'
import type { TenantStatements } from './transaction.ts'

export type ProviderCredentialRow = typeof providerCredentials.$inferSelect
export type ProviderCredentialVersionRow = typeof providerCredentialVersions.$inferSelect
export const providerCredentialStore = recordStore<ProviderCredentialRow>(providerCredentials)

const credentials = readingsOf(providerCredentials)
const versions = readingsOf(providerCredentialVersions)
const keys = readingsOf(dataKeys)

/** All versions of the credentials that an owner's may be, the oldest first: whose it is, the credential's own row tells. */
export function versionsOfOwner(owner: Owner): Reading<readonly ProviderCredentialVersionRow[]> {
  const ids = `select id from cardea.provider_credentials where ${isOf(owner)}`
  return versions(`where provider_credential_id in (${ids}) order by version`, (rows) => rows)
}

/** The live credentials for a provider: of the project that an owner's may be, or of the organization as a whole. */
export function credentialsFor(
  provider: string,
  project: Owner | undefined,
): Reading<readonly ProviderCredentialRow[]> {
  const scope = project
    ? `project_id in (select id from cardea.projects where ${isOf(project)})`
    : 'project_id is null'
  return credentials(`where ${live(provider)} and ${scope} order by id`, (rows) => rows)
}

export const versionStatements = {
  insertion: (row: typeof providerCredentialVersions.$inferInsert): string =>
    insertion(providerCredentialVersions, [row]),
  deletion: (ids: readonly string[]): string => deletion(providerCredentialVersions, ids),
  /** Revokes versions, and wipes their values: nobody may have them any more. */
  revocation: (ids: readonly string[], at: Date): string =>
    `${wiped(at)} where id in (${ids.map(literal).join(', ')})`,
  /** Of one credential. */
  revocationOfAll: (credentialId: string, at: Date): string =>
    `${wiped(at)} where provider_credential_id = ${literal(credentialId)}`,
}

function wiped(at: Date): string {
  return `update cardea.provider_credential_versions set sealed = '', revoked_at = coalesce(revoked_at, ${literal(at.toISOString())})`
}

/** Settings of an organization, or of a project, as far as the auth service may read them. */
export interface SettingsRow {
  readonly name: string
  /** Of the Organization that declares it; null: it was made through the API. */
  readonly ownerNamespace: string | null
  readonly settings: Readonly<Record<string, unknown>>
}

/** What a workload's request for a credential is answered from; all of it belongs to the transaction's organization. */
export function resolveReadings(provider: string, projectId: string | undefined) {
  const scope =
    projectId === undefined
      ? 'project_id is null'
      : `(project_id is null or project_id = ${literal(projectId)})`
  const which = `where ${live(provider)} and ${scope}`
  const inForce = `revoked_at is null and provider_credential_id in (select id from cardea.provider_credentials ${which})`
  return [
    settingsOf('cardea.organizations', 'true', 'owner_namespace'),
    projectId === undefined ? nothing : settingsOf('cardea.projects', `id = ${literal(projectId)}`),
    credentials(which, (rows) => rows),
    versions(`where ${inForce}`, (rows) => rows),
    keys(
      `where version in (select data_key_version from cardea.provider_credential_versions where ${inForce})`,
      (rows): readonly DataKeyRow[] => rows,
    ),
  ] as const
}

function settingsOf(
  table: string,
  condition: string,
  namespace = 'null',
): Reading<SettingsRow | undefined> {
  return {
    text: `select name, settings, ${namespace} as "ownerNamespace" from ${table} where ${condition} and deleted_at is null`,
    decode: ([row]) => row as SettingsRow | undefined,
  }
}

function live(provider: string): string {
  return `provider = ${literal(provider)} and deleted_at is null`
}

/** How often one credential was given out since the last time that this was told. */
export interface ProviderCredentialUse {
  readonly organizationId: string
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly lastUsedAt: number
  readonly uses: number
}

/** Adds to what is known of the use of these credentials. One that is gone is passed over. */
export function recordingUse(uses: readonly ProviderCredentialUse[]): readonly TenantStatements[] {
  // In order, so that two replicas do not wait for each other.
  const byOrganization = [...Map.groupBy(uses, ({ organizationId }) => organizationId)]
  return byOrganization
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([organizationId, ofOne]) => {
      const rows = ofOne.map(
        ({ id, lastUsedAt, uses: count }) =>
          `(${literal(id)}::uuid, ${integer(lastUsedAt)}::float8 / 1000, ${integer(count)}::bigint)`,
      )
      const statement = `insert into cardea.provider_credential_usage as u (organization_id, provider_credential_id, last_used_at, uses)
        select c.organization_id, c.id, to_timestamp(use.at), use.count
        from (values ${rows.join(', ')}) use (id, at, count) join cardea.provider_credentials c on c.id = use.id order by c.id
        on conflict (organization_id, provider_credential_id) do update
          set last_used_at = greatest(u.last_used_at, excluded.last_used_at), uses = u.uses + excluded.uses`
      return { organizationId, statements: [statement] }
    })
}
