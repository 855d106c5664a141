import type { Change } from '../../db/changes.ts'
import {
  loadApiKeyPage,
  loadApiKeys,
  loadIndexSize,
  loadOrganizations,
  loadProjects,
  loadRevokedAccessTokens,
  loadRoleBindings,
  loadRoles,
  loadSessionPage,
  loadSessions,
  loadUsers,
  type Queryable,
} from '../../db/credentialindex.ts'
import { RecentSet } from '../recentset.ts'
import { CredentialIndex } from './credentialindex.ts'
import { sessionKey } from './sessiontable.ts'

/**
 * Rows of a page, when all is loaded. Of larger ones so much is alive at once that it outlives the young generation, and loading
 * takes twice the memory of what is loaded.
 */
const pageSize = 100
/** Records that are loaded anew at a time: whoever asks for a check meanwhile waits while they are put in. */
const mostChanged = 1000
const maxRemoved = 20_000

/** Keeps the index as the database has it. The feed calls it, one call at a time and in order. */
export class IndexKeeper {
  #index = new CredentialIndex()
  #loaded = false
  #generation = 0
  #reloads = 0
  readonly #removed = new RecentSet<string>(maxRemoved)
  readonly #removedSessions = new RecentSet<string>(maxRemoved)

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

  /** How often all of it was loaded: each time, what was there before may never have been. */
  get reloads(): number {
    return this.#reloads
  }

  /** Whether the feed took a session of this digest away lately, as below. */
  wasSessionRemoved(digest: string): boolean {
    const key = sessionKey(digest)
    return this.#removedSessions.has(key) && !this.#index.hasSession(key)
  }

  /** Whether the feed took an API key of this digest away lately: nobody who is asked later may bring it back. */
  wasRemoved(digest: string): boolean {
    return this.#removed.has(digest) && this.#index.find(digest) === undefined
  }

  /** Loads everything beside what is there, and then puts it in its place. */
  async reload(db: Queryable): Promise<void> {
    const index = new CredentialIndex()
    index.reserve(await loadIndexSize(db), this.#index)
    index.setOrganizations(await loadOrganizations(db))
    index.setProjects(await loadProjects(db))
    index.setRoles(await loadRoles(db))
    index.setBindings(await loadRoleBindings(db))
    for await (const page of inPages((after) => loadApiKeyPage(db, after, pageSize), lastSecret)) {
      index.addApiKeys(page, this.#index)
    }
    for (const row of await loadRevokedAccessTokens(db)) {
      index.setRevokedToken(row.organizationId, row.id, true)
    }
    for await (const page of inPages((after) => loadSessionPage(db, after, pageSize), lastId)) {
      index.addSessions(page, this.#index)
    }
    this.#index = index
    this.#loaded = true
    this.#generation++
    this.#reloads++
  }

  /**
   * Loads anew what was changed. A record goes to its own organization, whichever a change names: a forged one must not
   * bring another tenant's roles in. A concept that is not known belongs to a newer program, and to no decision of this one.
   */
  async apply(changes: readonly Change[], db: Queryable): Promise<void> {
    const changed = group(changes)
    const index = this.#index
    for (const page of pages(changed.get('organization'))) {
      const ids = idsOf(page)
      const rows = new Map((await loadOrganizations(db, ids)).map((row) => [row.id, row]))
      for (const id of ids) index.setOrganization(id, rows.get(id))
    }
    for (const page of pages(changed.get('project'))) {
      const rows = byRecord(await loadProjects(db, idsOf(page)))
      for (const [key, { organizationId, id }] of page) {
        index.tenant(organizationId).setProject(id, rows.get(key))
      }
    }
    for (const page of pages(changed.get('role'))) {
      const rows = byRecord(await loadRoles(db, idsOf(page)))
      for (const [key, { organizationId, id }] of page) {
        index.tenant(organizationId).setRole(id, rows.get(key))
      }
    }
    for (const page of pages(changed.get('role_binding'))) {
      const rows = byRecord(await loadRoleBindings(db, idsOf(page)))
      for (const [key, { organizationId, id }] of page) {
        index.tenant(organizationId).setBinding(id, rows.get(key))
      }
    }
    for (const page of pages(changed.get('api_key'))) {
      const ids = idsOf(page)
      const removed = index.replaceApiKeys(ids, await loadApiKeys(db, ids))
      for (const digest of removed) this.#removed.add(digest)
      this.#generation++
    }
    for (const page of pages(changed.get('access_token'))) {
      const rows = byRecord(await loadRevokedAccessTokens(db, idsOf(page)))
      for (const [key, { organizationId, id }] of page) {
        index.setRevokedToken(organizationId, id, rows.has(key))
      }
    }
    for (const page of pages(changed.get('user'))) {
      const rows = byRecord(await loadUsers(db, idsOf(page)))
      for (const [key, { organizationId, id }] of page) {
        index.tenant(organizationId).setUser(id, rows.get(key))
      }
    }
    for (const page of pages(changed.get('session'))) {
      const ids = idsOf(page)
      const removed = index.replaceSessions(ids, await loadSessions(db, ids))
      for (const key of removed) this.#removedSessions.add(key)
    }
  }
}

const lastSecret = ({ secretId }: { readonly secretId: string }) => secretId
const lastId = ({ id }: { readonly id: string }) => id

/**
 * The next page is fetched while one is put in.
 * @param last what the page after a row comes after
 */
async function* inPages<Row>(
  load: (after: string | null) => Promise<readonly Row[]>,
  last: (row: Row) => string,
): AsyncGenerator<readonly Row[]> {
  let next: Promise<readonly Row[]> | undefined = load(null)
  while (next !== undefined) {
    const page: readonly Row[] = await next
    const row = page.length < pageSize ? undefined : page.at(-1)
    next = row && load(last(row))
    // Whoever is given this page may not come back for the next one.
    next?.catch(() => {})
    yield page
  }
}

interface RecordKey {
  readonly organizationId: string
  readonly id: string
}

/** By organization and id: nothing says that another organization has no record of the same id. */
type Records = Map<string, RecordKey>

function keyOf({ organizationId, id }: RecordKey): string {
  return `${organizationId}/${id}`
}

/** What is to be loaded, by concept; each record once, however often it was changed. */
function group(changes: readonly Change[]): Map<string, Records> {
  const groups = new Map<string, Records>()
  for (const { concept, recordId, organizationId } of changes) {
    let records = groups.get(concept)
    if (records === undefined) {
      records = new Map()
      groups.set(concept, records)
    }
    const record = { organizationId, id: recordId }
    records.set(keyOf(record), record)
  }
  return groups
}

function* pages(records: Records = new Map()): Generator<Records> {
  const entries = [...records]
  for (let start = 0; start < entries.length; start += mostChanged) {
    yield new Map(entries.slice(start, start + mostChanged))
  }
}

function idsOf(records: Records): string[] {
  return [...new Set([...records.values()].map(({ id }) => id))]
}

function byRecord<Row extends RecordKey>(rows: readonly Row[]): Map<string, Row> {
  return new Map(rows.map((row) => [keyOf(row), row]))
}
