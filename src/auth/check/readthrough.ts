import {
  findApiKeys,
  loadOrganizations,
  loadProjects,
  loadRoleBindings,
  loadRoles,
  type Queryable,
} from '../../db/credentialindex.ts'
import type { Credential } from '../index/credential.ts'
import { CredentialIndex } from '../index/credentialindex.ts'
import { type AuthLog, reasonOf } from '../log.ts'

/** It cannot be told whether a credential is good: PostgreSQL is away, or too many are waiting for it. */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError'
  /** Whether the database did not answer; otherwise it was not asked. */
  readonly databaseAway: boolean

  constructor(message: string, databaseAway: boolean) {
    super(message)
    this.databaseAway = databaseAway
  }
}

type Waiting = PromiseWithResolvers<Credential | undefined>

const maxBatch = 256
const maxWaiting = 8192
/** Milliseconds that an answer is waited for. */
const deadline = 1500
/** Milliseconds after a failure in which nobody else is made to wait for the next one. */
const rest = 500

/**
 * Looks credentials up in PostgreSQL: those that the index does not have yet, and all of them while it is stale. One query
 * at a time, for all that wait. A request never joins a query that was sent before it came: the answer may be older than
 * a revocation that its sender knows of.
 */
export class ReadThrough {
  readonly #db: Queryable
  readonly #log: AuthLog
  #next = new Map<string, Waiting>()
  #asking = false
  #awayUntil = Number.NEGATIVE_INFINITY
  #found = 0
  #absent = 0
  #failed = 0

  constructor(db: Queryable, log: AuthLog) {
    this.#db = db
    this.#log = log
  }

  /** Look-ups so far, by how they ended. */
  get outcomes(): Readonly<Record<'found' | 'absent' | 'failed', number>> {
    return { found: this.#found, absent: this.#absent, failed: this.#failed }
  }

  /**
   * @param digest SHA-256 of the credential's text, as 32 latin1 characters
   * @returns undefined when there is no live credential of that digest
   * @throws UnavailableError
   */
  async find(digest: string): Promise<Credential | undefined> {
    if (performance.now() < this.#awayUntil) {
      this.#failed++
      throw new UnavailableError('the database did not answer a moment ago', true)
    }
    let waiting = this.#next.get(digest)
    if (waiting === undefined) {
      if (this.#next.size >= maxWaiting) {
        this.#failed++
        throw new UnavailableError('too many look-ups are waiting', false)
      }
      waiting = Promise.withResolvers<Credential | undefined>()
      this.#next.set(digest, waiting)
      this.#ask()
    }
    return waiting.promise
  }

  #ask(): void {
    if (this.#asking || this.#next.size === 0) return
    this.#asking = true
    // Not at once: all requests that the sockets hold by now go into one query.
    setImmediate(() => {
      const batch = this.#takeBatch()
      void this.#answer(batch).finally(() => {
        this.#asking = false
        this.#ask()
      })
    })
  }

  #takeBatch(): ReadonlyMap<string, Waiting> {
    if (this.#next.size <= maxBatch) {
      const batch = this.#next
      this.#next = new Map()
      return batch
    }
    const batch = new Map([...this.#next].slice(0, maxBatch))
    for (const digest of batch.keys()) this.#next.delete(digest)
    return batch
  }

  async #answer(batch: ReadonlyMap<string, Waiting>): Promise<void> {
    const digests = [...batch.keys()].map((digest) => Buffer.from(digest, 'latin1'))
    try {
      const index = await within(deadline, this.#look(digests))
      for (const [digest, waiting] of batch) {
        const credential = index.find(digest)
        if (credential) this.#found++
        else this.#absent++
        waiting.resolve(credential)
      }
    } catch (error) {
      this.#awayUntil = performance.now() + rest
      this.#failed += batch.size
      this.#log.warn({ error: reasonOf(error) }, 'credentials could not be looked up')
      for (const waiting of batch.values()) {
        waiting.reject(new UnavailableError('the database did not answer', true))
      }
    }
  }

  /** A small index of its own: what is read here must not take the place of what the feed brought since. */
  async #look(digests: readonly Buffer[]): Promise<CredentialIndex> {
    const index = new CredentialIndex()
    const apiKeys = await this.#retried(() => findApiKeys(this.#db, digests))
    if (apiKeys.length === 0) return index
    const organizations = [...new Set(apiKeys.map((apiKey) => apiKey.organizationId))]
    index.setOrganizations(await loadOrganizations(this.#db, { ids: organizations }))
    index.setProjects(await loadProjects(this.#db, { organizations }))
    index.setRoles(await loadRoles(this.#db, { organizations }))
    index.setBindings(await loadRoleBindings(this.#db, { organizations }))
    index.addApiKeys(apiKeys)
    return index
  }

  /** An idle connection may have died unnoticed; that says nothing about the database. */
  async #retried<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch {
      return await work()
    }
  }
}

async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${milliseconds} ms`)), milliseconds)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
