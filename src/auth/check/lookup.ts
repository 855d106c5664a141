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

/** What is looked for. */
interface Sought {
  /** SHA-256, as 32 latin1 characters. */
  readonly digest: string
  /** Of the same session there may be several. */
  readonly token: TokenSession | undefined
  /** Whether PostgreSQL may have it though the index does not. */
  readonly mayBeNew: boolean
}

/** How credentials of one kind are looked for: made once, because what each request makes is collected as garbage. */
interface Way<Found extends Credential> {
  readonly absences: Absences
  in(index: CredentialIndex, sought: Sought): Found | undefined
  /** Another number when what was absent may not be any more. */
  generation(): number
  /** Whether the feed took it away: nobody who is asked later may bring it back. */
  wasRemoved(digest: string): boolean
}

type Answer<Found> = Found | undefined | Promise<Found | undefined>

const maxCredentialLength = 512

/** Finds the credential that a request presents. */
export class CredentialLookup {
  readonly #options: LookupOptions
  readonly #refutations = new Refutations()
  readonly #idle = new IdleSessions()
  readonly #apiKeys: Way<ApiKeyCredential>
  readonly #cookies: Way<SessionCredential>
  readonly #tokens: Way<SessionCredential>

  constructor(options: LookupOptions) {
    this.#options = options
    const { keeper } = options
    this.#apiKeys = {
      absences: new Absences(),
      in: (index, { digest }) => index.find(digest),
      generation: () => keeper.generation,
      wasRemoved: (digest) => keeper.wasRemoved(digest),
    }
    const sessions = {
      absences: new Absences(),
      // What is minted at random is presented to nobody before it is there; and then the index is asked first.
      generation: () => keeper.reloads,
      wasRemoved: (digest: string) => keeper.wasSessionRemoved(digest),
    }
    this.#cookies = {
      ...sessions,
      in: (index, { digest }) => ofKind('browser', index.findSession(digest)),
    }
    this.#tokens = { ...sessions, in: (index, { digest, token }) => ofToken(index, digest, token) }
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
    const sought = { digest, token: undefined, mayBeNew: shape === 'cardea' }
    return this.#look(this.#apiKeys, sought, now, monotonic)
  }

  /** Finds the session of a cookie, as `find` does. */
  findSession(text: string, now: number, monotonic: number): Answer<SessionCredential> {
    if (text.length > maxCredentialLength || !isSessionText(text)) return undefined
    const sought = { digest: hash('sha256', text, 'latin1'), token: undefined, mayBeNew: true }
    return this.#look(this.#cookies, sought, now, monotonic)
  }

  /** Finds the session of an access token that was verified, as `find` does; none when the token was revoked. */
  findTokenSession(token: TokenSession, now: number, monotonic: number): Answer<SessionCredential> {
    // Nobody takes a revocation back: whoever says it is believed, however old his word is.
    if (this.#options.keeper.index.isRevoked(token.org_id, token.jti)) return undefined
    const sought = { digest: token.sessionDigest, token, mayBeNew: true }
    return this.#look(this.#tokens, sought, now, monotonic)
  }

  #look<Found extends Credential>(
    way: Way<Found>,
    sought: Sought,
    now: number,
    monotonic: number,
  ): Answer<Found> {
    const { keeper, feed, maxStaleness } = this.#options
    const staleness = feed.staleness(monotonic)
    if (!feed.following || staleness > maxStaleness)
      return this.#readThrough(way, sought, now, true)
    const credential = way.in(keeper.index, sought)
    if (credential !== undefined && credential.expiresAt > now) {
      const isRefuted = this.#refutations.stands(keyOf(sought), monotonic - staleness)
      if (isRefuted) return this.#readThrough(way, sought, now, true)
      // Another replica may have seen somebody with it.
      const seemsIdle = isIdle(credential, now) && !this.#idle.has(keyOf(sought), monotonic)
      return seemsIdle ? this.#seenElsewhere(way, sought, credential, now) : credential
    }
    if (!sought.mayBeNew || way.absences.has(keyOf(sought), way.generation())) return undefined
    return this.#readThrough(way, sought, now, false)
  }

  async #seenElsewhere<Found extends Credential>(
    way: Way<Found>,
    sought: Sought,
    indexed: Found,
    now: number,
  ): Promise<Found | undefined> {
    const found = await this.#readThrough(way, sought, now, false)
    if (found === undefined || isIdle(found, now)) {
      this.#idle.add(keyOf(sought), performance.now())
    } else if (found.kind === 'User' && indexed.kind === 'User') {
      this.#options.keeper.index.touch(indexed, Math.floor(found.lastSeenAt / 1000))
    }
    return found
  }

  async #readThrough<Found extends Credential>(
    way: Way<Found>,
    sought: Sought,
    now: number,
    stale: boolean,
  ): Promise<Found | undefined> {
    const { keeper, readThrough } = this.#options
    const key = keyOf(sought)
    const generation = way.generation()
    try {
      const { digest, token } = sought
      const credential = way.in(await readThrough.find(digest, token?.jti), sought)
      // What was seen here may not be written down yet.
      if (credential?.kind === 'User') {
        const seen = keeper.index.lastSeen(credential.id) * 1000
        credential.lastSeenAt = Math.max(credential.lastSeenAt, seen)
      }
      if (stale) {
        const isGood = credential !== undefined && isLive(credential, now)
        this.#refutations.note(key, isGood, performance.now())
      }
      // Whoever answered knows less than the feed.
      if (credential && !stale && way.wasRemoved(sought.digest)) return undefined
      if (!credential && !stale) way.absences.add(key, generation)
      return credential
    } catch (error) {
      if (error instanceof UnavailableError && error.databaseAway) {
        const known = this.#knownGood(way, sought, now)
        if (known) return known
      }
      throw error
    }
  }

  #knownGood<Found extends Credential>(
    way: Way<Found>,
    sought: Sought,
    now: number,
  ): Found | undefined {
    const { keeper, feed, maxOutage } = this.#options
    const staleness = feed.staleness()
    if (staleness > maxOutage) return undefined
    if (this.#refutations.stands(keyOf(sought), performance.now() - staleness)) return undefined
    const credential = way.in(keeper.index, sought)
    if (credential === undefined || credential.expiresAt <= now) return undefined
    // Whether it was seen elsewhere, nobody can say.
    return isIdle(credential, now) ? undefined : credential
  }
}

/** Tells a credential from others, those of the same digest included. */
function keyOf({ digest, token }: Sought): string {
  return token === undefined ? digest : `${digest}${token.jti}`
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

/** The session of an access token: only that of the token's own person and organization. */
function ofToken(
  index: CredentialIndex,
  digest: string,
  token: TokenSession | undefined,
): SessionCredential | undefined {
  if (token === undefined || index.isRevoked(token.org_id, token.jti)) return undefined
  const session = ofKind('token', index.findSession(digest))
  if (session?.user.id !== token.sub || session.tenant.id !== token.org_id) return undefined
  session.token = token
  return session
}
