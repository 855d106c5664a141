import type { Pool } from 'pg'
import { type DataKeyRow, dataKeysWhere } from './datakey.ts'
import { integer, literal, type Reading } from './statement.ts'

/** A KEK's version, by which everything that it wrapped names it. */
export interface KekVersion {
  readonly provider: string
  readonly keyId: string
  readonly version: string
}

/** How much of an organization is wrapped by one version of a KEK. */
export interface WrappedCount {
  readonly organizationId: string
  /** Of the resource that declares the organization, or declared it before it was deleted and retained. */
  readonly namespace: string
  readonly name: string
  /** The KeyReference that the organization chose; null: the installation's. */
  readonly encryptionKey: unknown
  /** Undefined: nothing of the organization is wrapped. */
  readonly kek: KekVersion | undefined
  readonly wrapped: number
}

/**
 * What is wrapped by which KEK, for the organizations that resources of an installation declare.
 * @param namespace those of one namespace; of all when left out
 */
export async function wrappedKeys(
  pool: Pick<Pool, 'query'>,
  installation: string,
  namespace?: string,
): Promise<readonly WrappedCount[]> {
  const { rows } = await pool.query(
    `select organization_id as "organizationId", organization_namespace as "namespace", organization_name as "name",
       encryption_key as "encryptionKey", provider, key_id as "keyId", version, wrapped::int
     from cardea.wrapped_keys($1, $2)`,
    [installation, namespace ?? null],
  )
  return rows.map(
    ({ organizationId, namespace: of, name, encryptionKey, provider, keyId, version, wrapped }) => {
      const kek = provider === null ? undefined : { provider, keyId, version }
      return { organizationId, namespace: of, name, encryptionKey, kek, wrapped }
    },
  )
}

/** Since when the active data key of an organization seals, and how many retired ones there are. */
export interface DataKeyAge {
  readonly organizationId: string
  readonly activeSince: Date | null
  readonly retired: number
}

export async function dataKeyAges(
  pool: Pick<Pool, 'query'>,
  installation: string,
): Promise<readonly DataKeyAge[]> {
  const { rows } = await pool.query<DataKeyAge>(
    `select organization_id as "organizationId", active_since as "activeSince", retired::int
     from cardea.data_key_ages($1)`,
    [installation],
  )
  return rows
}

/** An envelope of an API key's secret, and the resource that the key is declared by. */
export interface WrappedSecret {
  readonly id: string
  readonly apiKeyId: string
  readonly namespace: string | null
  readonly name: string | null
  readonly envelope: unknown
}

const secretColumns = `select s.id, s.api_key_id as "apiKeyId", k.owner_namespace as "namespace", k.owner_name as "name", e.envelope
  from cardea.api_key_secrets s
  join cardea_keys.api_key_envelopes e on (e.organization_id, e.secret_id) = (s.organization_id, s.id)
  join cardea.api_keys k on (k.organization_id, k.id) = (s.organization_id, s.api_key_id)`

/**
 * Secrets of the transaction's organization that another KEK than `current` wrapped, in the order of their ids.
 * @param page.except KEKs whose work is left alone
 */
export function staleSecrets(
  current: KekVersion,
  page: {
    readonly after: string | undefined
    readonly limit: number
    readonly except: readonly KekVersion[]
  },
): Reading<readonly WrappedSecret[]> {
  const { after, limit, except } = page
  const others = [current, ...except].map((kek) => literal(JSON.stringify(envelopeKek(kek))))
  const conditions = [
    `e.envelope -> 'kek' not in (${others.join(', ')})`,
    ...(after === undefined ? [] : [`s.id > ${literal(after)}`]),
  ]
  return {
    text: `${secretColumns} where ${conditions.join(' and ')} order by s.id limit ${integer(limit)}`,
    decode: (rows) => rows as unknown as readonly WrappedSecret[],
  }
}

/** These secrets as they are now, locked until the end of the transaction. */
export function lockedSecrets(ids: readonly string[]): Reading<readonly WrappedSecret[]> {
  const list = ids.map(literal).join(', ')
  return {
    text: `${secretColumns} where s.id in (${list || 'null'}) order by s.id for update of s, e`,
    decode: (rows) => rows as unknown as readonly WrappedSecret[],
  }
}

/** Data keys of the transaction's organization that another KEK than `current` wrapped. */
export function staleDataKeys(current: KekVersion): Reading<readonly DataKeyRow[]> {
  return dataKeysWhere(`kek <> ${literal(JSON.stringify(current))} order by version`)
}

/** The data keys of the transaction's organization as they are now, locked until its end. */
export const lockedDataKeys: Reading<readonly DataKeyRow[]> = dataKeysWhere(
  'true order by version for update',
)

/** The version that the next data key of the transaction's organization gets: none that anything was ever sealed under. */
export const nextDataKeyVersion: Reading<number> = {
  text: `select 1 + greatest(
      (select max(version) from cardea_keys.data_keys),
      (select max(data_key_version) from cardea.provider_credential_versions), 0) as version`,
  decode: ([row]) => row?.['version'] as number,
}

/** An API key's resource, and the id of its current secret. */
interface CurrentSecret {
  readonly id: string
  readonly namespace: string
  readonly name: string
}

/** API keys in force whose current secret is older than a moment, in the order of the secrets' ids. */
export function keysMadeBefore(
  before: Date,
  page: { readonly after: string | undefined; readonly limit: number },
): Reading<readonly CurrentSecret[]> {
  const after = page.after === undefined ? '' : `and s.id > ${literal(page.after)}`
  return {
    text: `select s.id, k.owner_namespace as "namespace", k.owner_name as "name" ${madeBefore(before)} ${after}
      order by s.id limit ${integer(page.limit)}`,
    decode: (rows) => rows as unknown as readonly CurrentSecret[],
  }
}

/** How many API keys there are whose current secret is older than a moment. */
export function countMadeBefore(before: Date): Reading<number> {
  return {
    text: `select count(*)::int as count ${madeBefore(before)}`,
    decode: ([row]) => row?.['count'] as number,
  }
}

function madeBefore(before: Date): string {
  return `from cardea.api_key_secrets s join cardea.api_keys k on (k.organization_id, k.id) = (s.organization_id, s.api_key_id)
    where s.source = 'minted' and s.expires_at is null and k.deleted_at is null and k.owner_name is not null
      and (k.expires_at is null or k.expires_at > now()) and s.created_at < ${literal(before.toISOString())}`
}

function envelopeKek({ provider, keyId, version }: KekVersion) {
  return { provider, id: keyId, version }
}
