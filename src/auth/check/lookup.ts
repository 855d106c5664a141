import { hash } from 'node:crypto'
import { readApiKey } from '../../domain/apikey.ts'
import type { Credential } from '../index/credential.ts'
import type { IndexKeeper } from '../index/keeper.ts'
import { RecentSet } from '../recentset.ts'
import { isLive } from './decide.ts'
import { type ReadThrough, UnavailableError } from './readthrough.ts'
import { Refutations } from './refutations.ts'

/** What the look-up must know of the feed. */
interface Freshness {
  /** Whether what was applied is whole. */
  readonly following: boolean
  staleness(monotonic?: number): number
}

export interface LookupOptions {
  readonly keeper: IndexKeeper
  readonly feed: Freshness
  readonly readThrough: ReadThrough
  /** Milliseconds: beyond it the index alone is not believed. */
  readonly maxStaleness: number
  /** Milliseconds: with PostgreSQL away, for how long what was good counts as good. */
  readonly maxOutage: number
}

const maxCredentialLength = 512
const maxAbsent = 20_000

/** Finds the credential that a request presents. */
export class CredentialLookup {
  readonly #options: LookupOptions
  /** Digests that PostgreSQL does not have, as long as no API key was added. */
  readonly #absent = new RecentSet<string>(maxAbsent)
  #absentSince = 0
  readonly #refutations = new Refutations()

  constructor(options: LookupOptions) {
    this.#options = options
  }

  /**
   * @param text what the request presents
   * @param now milliseconds since the epoch, by a clock that never goes back
   * @returns at once when the index can tell, which is nearly always; undefined when there is no such live credential. An
   *   expired one takes the same way as one that never was, so that the time does not tell them apart
   * @throws UnavailableError, as a rejection, when it cannot be told
   */
  find(
    text: string,
    now: number,
    monotonic: number,
  ): Credential | undefined | Promise<Credential | undefined> {
    if (text.length > maxCredentialLength) return undefined
    const shape = readApiKey(text)
    if (shape === 'malformed') return undefined
    const { keeper, feed, maxStaleness } = this.#options
    const { index } = keeper
    // Only a key that was minted elsewhere has no checksum of ours: where there is none, a flood of typos costs nothing.
    if (shape === 'foreign' && keeper.loaded && index.imported === 0) return undefined

    const digest = hash('sha256', text, 'latin1')
    const staleness = feed.staleness(monotonic)
    if (!feed.following || staleness > maxStaleness) return this.#readThrough(digest, now, true)
    const credential = index.find(digest)
    if (credential !== undefined && credential.expiresAt > now) {
      const isRefuted = this.#refutations.stands(digest, monotonic - staleness)
      return isRefuted ? this.#readThrough(digest, now, true) : credential
    }
    if (shape === 'foreign' || this.#isAbsent(digest)) return undefined
    return this.#readThrough(digest, now, false)
  }

  async #readThrough(digest: string, now: number, stale: boolean): Promise<Credential | undefined> {
    const { keeper, readThrough } = this.#options
    const { generation } = keeper
    try {
      const credential = await readThrough.find(digest)
      if (stale) {
        const isGood = credential !== undefined && isLive(credential, now)
        this.#refutations.note(digest, isGood, performance.now())
      }
      // Whoever answered knows less than the feed.
      if (credential && !stale && keeper.wasRemoved(digest)) return undefined
      // A key that was added meanwhile may be this one.
      if (!credential && !stale && generation === keeper.generation) this.#absent.add(digest)
      return credential
    } catch (error) {
      if (error instanceof UnavailableError && error.databaseAway) {
        const known = this.#knownGood(digest, now)
        if (known) return known
      }
      throw error
    }
  }

  #knownGood(digest: string, now: number): Credential | undefined {
    const { keeper, feed, maxOutage } = this.#options
    const staleness = feed.staleness()
    if (staleness > maxOutage) return undefined
    if (this.#refutations.stands(digest, performance.now() - staleness)) return undefined
    const credential = keeper.index.find(digest)
    return credential !== undefined && credential.expiresAt > now ? credential : undefined
  }

  #isAbsent(digest: string): boolean {
    const { generation } = this.#options.keeper
    if (generation !== this.#absentSince) {
      this.#absent.clear()
      this.#absentSince = generation
    }
    return this.#absent.has(digest)
  }
}
