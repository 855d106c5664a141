import { hash } from 'node:crypto'
import { readApiKey } from '../../domain/apikey.ts'
import { isSessionText } from '../../domain/session.ts'
import type { ApiKeyCredential, Credential } from '../index/credential.ts'
import type { CredentialIndex } from '../index/credentialindex.ts'
import type { IndexKeeper } from '../index/keeper.ts'
import type { SessionCredential, TokenTimes } from '../index/session.ts'
import { Absences } from './absences.ts'
import { isLive } from './decide.ts'
import { IdleSessions } from './idlesessions.ts'
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

/** What an access token says of its session. */
export interface TokenSession extends TokenTimes {
  /** `tokenSessionDigest` of the session, as 32 latin1 characters. */
  readonly sessionDigest: string
  /** The user's id. */
  readonly sub: string
  readonly org_id: string
}

/** What is looked for, and where in an index it would be. */
interface Sought<Found extends Credential> {
  readonly digest: string
  /** Tells it from others of the same digest. */
  readonly key: string
  readonly jti?: string
  /** Whether PostgreSQL may have it though the index does not. */
  readonly mayBeNew: boolean
  readonly absences: Absences
  /** Another one when what was absent may not be any more. */
  readonly generation: number
  in(index: CredentialIndex): Found | undefined
  /** Whether the feed took it away: nobody who is asked later may bring it back. */
  wasRemoved(): boolean
}

type Answer<Found> = Found | undefined | Promise<Found | undefined>

const maxCredentialLength = 512

/** Finds the credential that a request presents. */
export class CredentialLookup {
  readonly #options: LookupOptions
  readonly #absentKeys = new Absences()
  readonly #absentSessions = new Absences()
  readonly #refutations = new Refutations()
  readonly #idle = new IdleSessions()

  constructor(options: LookupOptions) {
    this.#options = options
  }

  /**
   * Finds an API key.
   * @param text what the request presents
   * @param now milliseconds since the epoch, by a clock that never goes back
   * @returns at once when the index can tell, which is nearly always; undefined when there is no such live credential. An
   *   expired one takes the same way as one that never was, so that the time does not tell them apart
   * @throws UnavailableError, as a rejection, when it cannot be told
   */
  find(text: string, now: number, monotonic: number): Answer<ApiKeyCredential> {
    if (text.length > maxCredentialLength) return undefined
    const shape = readApiKey(text)
    if (shape === 'malformed') return undefined
    const { keeper } = this.#options
    // Only a key that was minted elsewhere has no checksum of ours: where there is none, a flood of typos costs nothing.
    if (shape === 'foreign' && keeper.loaded && keeper.index.imported === 0) return undefined
    const digest = hash('sha256', text, 'latin1')
    return this.#look(
      {
        digest,
        key: digest,
        mayBeNew: shape === 'cardea',
        absences: this.#absentKeys,
        generation: keeper.generation,
        in: (index) => index.find(digest),
        wasRemoved: () => keeper.wasRemoved(digest),
      },
      now,
      monotonic,
    )
  }

  /** Finds the session of a cookie, as `find` does. */
  findSession(text: string, now: number, monotonic: number): Answer<SessionCredential> {
    if (text.length > maxCredentialLength || !isSessionText(text)) return undefined
    const digest = hash('sha256', text, 'latin1')
    return this.#look(
      {
        ...this.#session(digest),
        key: digest,
        in: (index) => ofKind('browser', index.findSession(digest)),
      },
      now,
      monotonic,
    )
  }

  /** Finds the session of an access token that was verified, as `find` does; none when the token was revoked. */
  findTokenSession(token: TokenSession, now: number, monotonic: number): Answer<SessionCredential> {
    const { sessionDigest: digest, jti, sub, org_id: organizationId } = token
    // Nobody takes a revocation back: whoever says it is believed, however old his word is.
    if (this.#options.keeper.index.isRevoked(organizationId, jti)) return undefined
    return this.#look(
      {
        ...this.#session(digest),
        key: `${digest}${jti}`,
        jti,
        in: (index) => {
          if (index.isRevoked(organizationId, jti)) return undefined
          const session = ofKind('token', index.findSession(digest))
          if (session?.user.id !== sub || session.tenant.id !== organizationId) return undefined
          session.token = token
          return session
        },
      },
      now,
      monotonic,
    )
  }

  #session(digest: string) {
    const { keeper } = this.#options
    return {
      digest,
      mayBeNew: true,
      absences: this.#absentSessions,
      // What is minted at random is presented to nobody before it is there; and then the index is asked first.
      generation: keeper.reloads,
      wasRemoved: () => keeper.wasSessionRemoved(digest),
    }
  }

  #look<Found extends Credential>(
    sought: Sought<Found>,
    now: number,
    monotonic: number,
  ): Answer<Found> {
    const { keeper, feed, maxStaleness } = this.#options
    const staleness = feed.staleness(monotonic)
    if (!feed.following || staleness > maxStaleness) return this.#readThrough(sought, now, true)
    const credential = sought.in(keeper.index)
    if (credential !== undefined && credential.expiresAt > now) {
      const isRefuted = this.#refutations.stands(sought.key, monotonic - staleness)
      if (isRefuted) return this.#readThrough(sought, now, true)
      // Another replica may have seen somebody with it.
      const seemsIdle = isIdle(credential, now) && !this.#idle.has(sought.key, monotonic)
      return seemsIdle ? this.#seenElsewhere(sought, credential, now) : credential
    }
    if (!sought.mayBeNew || sought.absences.has(sought.key, sought.generation)) return undefined
    return this.#readThrough(sought, now, false)
  }

  async #seenElsewhere<Found extends Credential>(
    sought: Sought<Found>,
    indexed: Found,
    now: number,
  ): Promise<Found | undefined> {
    const found = await this.#readThrough(sought, now, false)
    if (found === undefined || isIdle(found, now)) {
      this.#idle.add(sought.key, performance.now())
    } else if (found.kind === 'User' && indexed.kind === 'User') {
      this.#options.keeper.index.touch(indexed, Math.floor(found.lastSeenAt / 1000))
    }
    return found
  }

  async #readThrough<Found extends Credential>(
    sought: Sought<Found>,
    now: number,
    stale: boolean,
  ): Promise<Found | undefined> {
    const { keeper, readThrough } = this.#options
    try {
      const credential = sought.in(await readThrough.find(sought.digest, sought.jti))
      // What was seen here may not be written down yet.
      if (credential?.kind === 'User') {
        const seen = keeper.index.lastSeen(credential.id) * 1000
        credential.lastSeenAt = Math.max(credential.lastSeenAt, seen)
      }
      if (stale) {
        const isGood = credential !== undefined && isLive(credential, now)
        this.#refutations.note(sought.key, isGood, performance.now())
      }
      // Whoever answered knows less than the feed.
      if (credential && !stale && sought.wasRemoved()) return undefined
      if (!credential && !stale) sought.absences.add(sought.key, sought.generation)
      return credential
    } catch (error) {
      if (error instanceof UnavailableError && error.databaseAway) {
        const known = this.#knownGood(sought, now)
        if (known) return known
      }
      throw error
    }
  }

  #knownGood<Found extends Credential>(sought: Sought<Found>, now: number): Found | undefined {
    const { keeper, feed, maxOutage } = this.#options
    const staleness = feed.staleness()
    if (staleness > maxOutage) return undefined
    if (this.#refutations.stands(sought.key, performance.now() - staleness)) return undefined
    const credential = sought.in(keeper.index)
    if (credential === undefined || credential.expiresAt <= now) return undefined
    // Whether it was seen elsewhere, nobody can say.
    return isIdle(credential, now) ? undefined : credential
  }
}

function isIdle(credential: Credential, now: number): boolean {
  return credential.kind === 'User' && credential.isIdle(now)
}

function ofKind(
  kind: SessionCredential['sessionKind'],
  session: SessionCredential | undefined,
): SessionCredential | undefined {
  return session?.sessionKind === kind ? session : undefined
}
