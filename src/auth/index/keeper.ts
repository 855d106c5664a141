import type { Change } from '../../db/changes.ts'
import {
  loadApiKeyPage,
  loadApiKeys,
  loadOrganizations,
  loadProjects,
  loadRoleBindings,
  loadRoles,
  type Queryable,
} from '../../db/credentialindex.ts'
import { CredentialIndex } from './credentialindex.ts'

/** Rows at a time: whoever asks for a check meanwhile waits while a page is put in. */
const pageSize = 1000

/** Keeps the index as the database has it. The feed calls it, one call at a time and in order. */
export class IndexKeeper {
  #index = new CredentialIndex()
  #loaded = false
  #generation = 0

  /** The index now. Ask again each time: a reload puts another in its place. */
  get index(): CredentialIndex {
    return this.#index
  }

  /** Whether it was ever loaded as a whole. */
  get loaded(): boolean {
    return this.#loaded
  }

  /** Another number whenever there may be an API key that there was not before. */
  get generation(): number {
    return this.#generation
  }

  /** Loads everything beside what is there, and then puts it in its place. */
  async reload(db: Queryable): Promise<void> {
    const index = new CredentialIndex()
    index.setOrganizations(await loadOrganizations(db))
    index.setProjects(await loadProjects(db))
    index.setRoles(await loadRoles(db))
    index.setBindings(await loadRoleBindings(db))
    let after: string | null = null
    for (;;) {
      const page = await loadApiKeyPage(db, after, pageSize)
      index.addApiKeys(page, this.#index)
      after = page.at(-1)?.secretId ?? null
      if (page.length < pageSize) break
    }
    this.#index = index
    this.#loaded = true
    this.#generation++
  }

  /** Loads anew what was changed. A concept that is not known belongs to a newer program, and to no decision of this one. */
  async apply(changes: readonly Change[], db: Queryable): Promise<void> {
    const changed = group(changes)
    const index = this.#index
    for (const ids of pages(changed.get('organization'))) {
      const rows = byId(await loadOrganizations(db, { ids: [...ids.keys()] }))
      for (const id of ids.keys()) index.tenant(id).setOrganization(rows.get(id))
    }
    for (const ids of pages(changed.get('project'))) {
      const rows = byId(await loadProjects(db, { ids: [...ids.keys()] }))
      for (const [id, tenant] of ids) index.tenant(tenant).setProject(id, rows.get(id))
    }
    for (const ids of pages(changed.get('role'))) {
      const rows = byId(await loadRoles(db, { ids: [...ids.keys()] }))
      for (const [id, tenant] of ids) index.tenant(tenant).setRole(id, rows.get(id))
    }
    for (const ids of pages(changed.get('role_binding'))) {
      const rows = byId(await loadRoleBindings(db, { ids: [...ids.keys()] }))
      for (const [id, tenant] of ids) index.tenant(tenant).setBinding(id, rows.get(id))
    }
    for (const ids of pages(changed.get('api_key'))) {
      const rows = await loadApiKeys(db, [...ids.keys()])
      index.replaceApiKeys(ids.keys(), rows)
      this.#generation++
    }
  }
}

/** A record's id, and its organization's. */
type Records = Map<string, string>

/** What is to be loaded, by concept; each record once, however often it was changed. */
function group(changes: readonly Change[]): Map<string, Records> {
  const groups = new Map<string, Records>()
  for (const { concept, recordId, organizationId } of changes) {
    let records = groups.get(concept)
    if (records === undefined) {
      records = new Map()
      groups.set(concept, records)
    }
    records.set(recordId, organizationId)
  }
  return groups
}

function* pages(records: Records = new Map()): Generator<Records> {
  const entries = [...records]
  for (let start = 0; start < entries.length; start += pageSize) {
    yield new Map(entries.slice(start, start + pageSize))
  }
}

function byId<Row extends { readonly id: string }>(rows: readonly Row[]): Map<string, Row> {
  return new Map(rows.map((row) => [row.id, row]))
}
