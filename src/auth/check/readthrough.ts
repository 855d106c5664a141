import { findCredentials, type Queryable } from '../../db/credentialindex.ts'
import { includes, isSuccessor, type Position } from '../../db/position.ts'
import { CredentialIndex } from '../index/credentialindex.ts'
import { type AuthLog, reasonOf } from '../log.ts'

/** It cannot be told whether a credential is good: PostgreSQL is away, or too many are waiting for it. */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError'
  /** Whether there is no database to ask; otherwise what is there was not asked, or cannot be believed. */
  readonly databaseAway: boolean

  constructor(message: string, databaseAway: boolean) {
    super(message)
    this.databaseAway = databaseAway
  }
}

/** What a look-up must know of the feed. */
export interface Followed {
  /** Of its last look; undefined before the first. */
  readonly position: Position | undefined
}

type Waiting = PromiseWithResolvers<CredentialIndex>

/** What the next query asks for. */
class Batch {
  readonly waiting = new Map<string, Waiting>()
  readonly jtis = new Set<string>()
}

const maxBatch = 256
const maxWaiting = 8192
/** Milliseconds that an answer is waited for. */
const deadline = 1500
/** Milliseconds after a failure in which nobody else asks, to wait for the next one. */
const rest = 500

/**
 * Looks credentials up in PostgreSQL: those that the index does not have yet, and all of them while it is stale. One query
 * at a time, for all that wait. A request never joins a query that was sent before it came: the answer may be older than
 * a revocation that its sender knows of. An answer counts only from the database that the feed follows, and only when it
 * includes all that the feed has seen: a standby that lags, a copy or a former primary still has what was revoked.
 */
export class ReadThrough {
  readonly #db: Queryable
  readonly #feed: Followed
  readonly #log: AuthLog
  #next = new Batch()
  #asking = false
  #failedUntil = Number.NEGATIVE_INFINITY
  #failure = new UnavailableError('nobody asked yet', false)
  #found = 0
  #absent = 0
  #failed = 0

  constructor(db: Queryable, feed: Followed, log: AuthLog) {
    this.#db = db
    this.#feed = feed
    this.#log = log
  }

  /** Look-ups so far, by how they ended. */
  get outcomes(): Readonly<Record<'found' | 'absent' | 'failed', number>> {
    return { found: this.#found, absent: this.#absent, failed: this.#failed }
  }

  /**
   * @param digest SHA-256 of what a credential is found by, as 32 latin1 characters
   * @param jti of an access token, to be told whether it was revoked
   * @returns an index that has the live credentials of that digest, and what it takes to decide on them
   * @throws UnavailableError
   */
  async find(digest: string, jti?: string): Promise<CredentialIndex> {
    if (performance.now() < this.#failedUntil) {
      this.#failed++
      throw this.#failure
    }
    let waiting = this.#next.waiting.get(digest)
    if (waiting === undefined) {
      if (this.#next.waiting.size >= maxWaiting) {
        this.#failed++
        throw new UnavailableError('too many look-ups are waiting', false)
      }
      waiting = Promise.withResolvers<CredentialIndex>()
      this.#next.waiting.set(digest, waiting)
      this.#ask()
    }
    if (jti !== undefined) this.#next.jtis.add(jti)
    return waiting.promise
  }

  #ask(): void {
    if (this.#asking || this.#next.waiting.size === 0) return
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

  #takeBatch(): Batch {
    const batch = this.#next
    this.#next = new Batch()
    if (batch.waiting.size <= maxBatch) return batch
    for (const [digest, waiting] of [...batch.waiting].slice(maxBatch)) {
      batch.waiting.delete(digest)
      this.#next.waiting.set(digest, waiting)
    }
    // Which of them belong to whom is not known, and they are few.
    for (const jti of batch.jtis) this.#next.jtis.add(jti)
    return batch
  }

  async #answer(batch: Batch): Promise<void> {
    const digests = [...batch.waiting.keys()].map((digest) => Buffer.from(digest, 'latin1'))
    try {
      const index = await within(deadline, this.#look(digests, [...batch.jtis]))
      for (const [digest, waiting] of batch.waiting) {
        if (index.find(digest) || index.findSession(digest)) this.#found++
        else this.#absent++
        waiting.resolve(index)
      }
    } catch (error) {
      this.#failure =
        error instanceof UnavailableError
          ? error
          : new UnavailableError('the database did not answer', true)
      this.#failedUntil = performance.now() + rest
      this.#log.warn({ error: reasonOf(error) }, 'credentials could not be looked up')
      // Those who came meanwhile would wait as long, to hear the same.
      const waiting = [...batch.waiting.values(), ...this.#next.waiting.values()]
      this.#next = new Batch()
      this.#failed += waiting.length
      for (const { reject } of waiting) reject(this.#failure)
    }
  }

  /** A small index of its own: what is read here must not take the place of what the feed brought since. */
  async #look(digests: readonly Buffer[], jtis: readonly string[]): Promise<CredentialIndex> {
    const known = this.#feed.position
    if (known === undefined) {
      throw new UnavailableError('it is not known yet which database is to be asked', false)
    }
    const found = await this.#retried(() => findCredentials(this.#db, digests, jtis))
    this.#examine(found.position, known)
    const index = new CredentialIndex()
    index.setOrganizations(found.organizations)
    index.setProjects(found.projects)
    index.setRoles(found.roles)
    index.setBindings(found.roleBindings)
    index.addApiKeys(found.apiKeys)
    index.addSessions(found.sessions)
    for (const { organizationId, id } of found.accessTokens) {
      index.setRevokedToken(organizationId, id, true)
    }
    return index
  }

  /**
   * @param known where the feed was before the database was asked: what it saw since, the answer need not have
   * @throws UnavailableError when an answer of this position cannot be believed
   */
  #examine({ server, snapshot }: Position, known: Position): void {
    const followed = this.#feed.position?.server ?? known.server
    if (server !== followed) {
      // After a failover the feed follows in a moment; what was good stays good for it, as while there was no server.
      const isFailover = isSuccessor(server, followed)
      throw new UnavailableError('another database answers than the feed follows', isFailover)
    }
    if (!includes(snapshot, known.snapshot)) {
      throw new UnavailableError('the database is behind what the feed has seen', false)
    }
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
